/*
 * poppod --learn TYPE: beside the supervisor runs a process that hears which system calls the workers of that
 * type make beyond what their profile allows, lets them pass, and prints them when the supervisor has ended.
 */
#pragma once

#include <sys/types.h>

enum { LEARNING_PATH = 64 };

struct learning {
        char dir[LEARNING_PATH / 2], path[LEARNING_PATH];
        int line; /* its standard input: what closes it ends it */
        pid_t pid;
};

/* Starts it, and waits until it listens on `path`. program: poppod-spawner, which does that too. Negative: it
 * cannot. */
int learning_start(struct learning *l, const char *program, const char *type);
/* Waits until it has printed, and removed its place. By then this process may have given up all its rights. */
void learning_end(struct learning *l);
