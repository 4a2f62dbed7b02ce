/*
 * Signals by pidfd: to the process that the descriptor stands for and to no other, whoever has its number by
 * then. The pid is only what is fallen back on where pidfds are not known (valgrind).
 */
#pragma once

#include <sys/types.h>

/* 0, or negative. */
int pidfd_signal(int pidfd, pid_t pid, int signal);
/* With a value, as sigqueue(3). */
int pidfd_queue(int pidfd, pid_t pid, int signal, int value);
