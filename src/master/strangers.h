/*
 * Workers that a dying spawner made and could not tell of. They are our children all the same, and only we can reap them;
 * that nobody knows them is how they are found.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Kills and reaps every child that is not known. How many there were; negative: they could not be looked for. */
int strangers_end(bool (*known)(void *arg, pid_t pid), void *arg);
