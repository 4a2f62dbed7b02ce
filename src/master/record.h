/* A task's record, as users see it: {id, type, projectId, priority, state, value | error, logs, attempts, ...}. */
#pragma once

#include "master/task.h"
#include "wire/pack.h"

/* Appends the record as one map. -ENOBUFS, -ENOMEM. */
int record_write(struct buf *out, const struct task *t);

/* Appends one line of `list`: no value, no logs. */
void record_write_line(struct pack *p, const struct task *t);

/* Encodes {code, message} for an outcome that no worker reported. The bytes are the caller's, from malloc; empty without
 * memory. */
struct bytes record_error(enum wire_code code, const char *message);
