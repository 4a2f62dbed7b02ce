/* Where things are when nobody says. Pure functions of their inputs: the caller asks the environment. */
#pragma once

#include <stddef.h>

#define PATHS_SOCKET "/run/poppo/poppo.sock"
#define PATHS_CONFIG "/etc/poppo/poppod.json"

/* What may name the socket, strongest first; NULL and "" are silent. */
struct paths_socket {
        const char *flag;        /* --socket */
        const char *env;         /* POPPO_SOCKET */
        const char *config;      /* daemon.socketPath; the client library has none */
        const char *runtime_dir; /* XDG_RUNTIME_DIR: poppo/poppo.sock in it */
};

/* Writes the path of the Unix socket, PATHS_SOCKET if all are silent. -ENAMETOOLONG if it does not fit, as sun_path. */
int paths_socket(const struct paths_socket *from, char *out, size_t size);
