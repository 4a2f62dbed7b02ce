/* Making a worker process: a sibling of the spawner that locks itself down and becomes its class. */
#pragma once

#include "spawner/lockdown.h"
#include "spawner/spawner.h"

/* Forks a child of the master. In the spawner: its pid, and *pidfd; or negative. In the child: never returns. ask: what the
 * master asked for. */
pid_t child_start(const struct spawner_class *class, const struct lockdown *l, const struct wire_spawn *ask, int *pidfd);
