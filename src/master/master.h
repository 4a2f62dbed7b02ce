/* The master: owns the queue, takes every decision, speaks only frames. Runs in the foreground until it is told to end. */
#pragma once

#include "config/config.h"

#include <sys/types.h>

struct master_options {
        const char *config_path;     /* NULL: defaults */
        const char *socket_path;     /* NULL: environment, configuration, default */
        const char *state_dir;       /* NULL: none */
        const char *spawner_program; /* path of poppod-spawner */
        const char *loader_program;  /* of poppod-loader; NULL: modules cannot be loaded */
        const char *store_program;   /* path of poppod-store */
        const char *learn;           /* a task type whose workers refuse no system call; NULL: none */
        const char *learner;         /* then: path of the socket where they tell of them */
        pid_t learner_pid;           /* of who listens there: a child of this process */
        int verbosity;               /* added to the configured log level */
};

/* Serves until it is ended by a signal or a client. Returns the exit status of sysexits(3): 0 after a drain, 65 when
 * the store's file is damaged or of a later version, 75 when another supervisor has the socket, state directory or store, 78 for
 * a bad configuration. */
int master_main(const struct master_options *options);

/* The configuration in this file, or the defaults without one. */
int master_load_config(struct config *out, const char *path, struct config_error *error);
