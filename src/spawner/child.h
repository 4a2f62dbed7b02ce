/* Making a worker process: a sibling of the spawner that locks itself down and becomes its class. */
#pragma once

#include "spawner/lockdown.h"
#include "spawner/spawner.h"

/* Forks a child of the master. In the spawner: its pid, and *pidfd; or negative. In the child: never returns. handler:
 * whose worker it is, or NULL. */
pid_t child_start(const struct spawner_class *class, const struct wire_handler *handler, const struct lockdown *l,
        int *pidfd);
