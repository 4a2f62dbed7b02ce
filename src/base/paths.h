/* Where things are when nobody says. The environment is asked by the caller alone. */
#pragma once

#include <stdbool.h>
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

/* The path of what stands beside this very program, in a build as installed; "../sbin/x" is good too, and an absolute path
 * stays as it is. -ENAMETOOLONG; without /proc an error of readlink(2). */
int paths_beside(const char *name, char *out, size_t size);

/* A file that we may execute. */
bool paths_is_program(const char *path);

/* The first of these, each as for paths_beside(), that is a program; false: none is. */
bool paths_find_program(const char *const *names, size_t n, char *out, size_t size);
