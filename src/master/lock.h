/*
 * One supervisor for one socket and one state directory. The lock is an flock on a file that holds the owner's pid: it
 * goes with the process, however that ends, and a file left behind locks nobody out.
 */
#pragma once

#include <sys/types.h>

enum { LOCK_TAKEN = 1 };

/* 0: ours, *fd holds it until closed. LOCK_TAKEN: *owner is the pid of the one that has it (0 if it cannot be read). */
int lock_take(const char *path, int *fd, pid_t *owner);
