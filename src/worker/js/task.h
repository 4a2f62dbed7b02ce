/* One attempt of one task, from its bytes to its outcome. */
#pragma once

#include "worker/js/deadline.h"
#include "worker/outcome.h"

/* Runs the client's task map in the world as it is and fills the outcome, whatever the task does. The world
 * is to be restored afterwards. */
void task_run(struct bytes task, const struct deadline_limits *limits, struct outcome *out);

/* Wipes what was kept of it outside of the arena. */
void task_forget(void);
