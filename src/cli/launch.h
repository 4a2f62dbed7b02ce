/* Starting poppod in the background and seeing it come up. */
#pragma once

#include "cli/cli.h"

#include <sys/types.h>

enum { LAUNCH_ARGS_MAX = 64 };

struct launch {
        struct cli *cli;
        char program[4096], log[4096], directory[4096]; /* directory "": where poppo runs */
        char *args[LAUNCH_ARGS_MAX + 2];                /* with program first and NULL last */
        char *arg_text;                                 /* what args point into, or NULL */
        int log_fd;
        off_t log_start; /* where this start's lines begin */
        bool tied; /* it ends when we do */
        pid_t pid;
};

/* Where poppod is. 0, or an exit status after a message. */
int launch_find(struct cli *cli, char *out, size_t size);

/* From the command line. cli's handle must have tried to connect, so that the socket's path is known. 0, or an exit
 * status. */
int launch_init(struct launch *l, struct cli *cli);
void launch_fini(struct launch *l);

/* Takes the arguments and directory of a running supervisor instead, where /proc shows them. 0, or an exit status. */
int launch_copy(struct launch *l, pid_t pid);

/* Starts it and waits until it answers. 0, or an exit status after the log's tail. */
int launch_run(struct launch *l);
void launch_say_ready(const struct launch *l);
