/*
 * Workers that a dying spawner made and could not tell of. They are our children all the same, and only we
 * can reap them; that nobody knows them is how they are found.
 */
#pragma once

#include "master/starter_link.h"

#include <stdbool.h>
#include <sys/types.h>

/* Opens the kernel's list of our children, while it still can be. Negative: there is none. */
int strangers_open_list(void);
/* Has every child that is not known killed, and reaps it. How many there were; negative: they could not be
 * looked for. */
int strangers_end(int list, struct starter_link *starter, bool (*known)(void *arg, pid_t pid), void *arg);
