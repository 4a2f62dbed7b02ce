/*
 * What the configuration says of task types, as workers and the spawner are told it. The keys are those of the file.
 */
#pragma once

#include "base/buf.h"
#include "config/config.h"
#include "master/task_types.h"

/* Appends the map of the message `configure` for workers of this kind that serve this type and project. -ENOMEM; -EIO and
 * the like: the project's caFile cannot be read. */
int settings_write(struct buf *out, const struct config *c, enum class_kind kind, const char *type, const char *project);

/* Fills in what the spawner needs to start a handler's worker; its arrays are written to `out`, which must be empty and is
 * not to be touched while the record is in use. -ENOENT: the type is no handler (any more). -ENOMEM. */
int settings_handler(struct buf *out, const struct config *c, const char *type, struct wire_handler *handler);

/* Whether two configurations start a handler's workers the same way. */
bool settings_same_handler(const struct config_task_type *a, const struct config_task_type *b);
