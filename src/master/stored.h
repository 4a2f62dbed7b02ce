/*
 * A task as the store keeps it, and back. Wall time is what survives a restart: deadlines cross as times of day.
 * The bytes of what is written are in the scratch buffer, good until its next use.
 */
#pragma once

#include "master/project.h"
#include "master/task.h"
#include "wire/message.h"

/* -ENOMEM. */
int stored_accept(struct buf *scratch, const struct task *t, struct wire_store_accept *out);
int stored_attempt(struct buf *scratch, const struct task *t, struct wire_store_attempt *out);
/* An attempt that is written before it begins. */
int stored_claim(struct buf *scratch, const struct task *t, struct wire_store_attempt *out);
int stored_release(struct buf *scratch, const struct task *t, struct wire_store_release *out);
int stored_end(struct buf *scratch, const struct task *t, enum task_state state, struct wire_store_end *out);
int stored_settings(struct buf *scratch, const struct project_settings *settings, struct bytes *out);

/* What a row says beyond the task itself. */
struct stored_more {
        struct bytes type, project;
        struct bytes isolation; /* the layers of the outcome, borrowed from the row; the caller interns them */
        bool lost;              /* it was running: its last attempt is marked so */
};

/* A new task, without type, class and project. 0; positive: the row makes no sense; -ENOMEM. */
int stored_task(const struct wire_store_row *row, struct task **out, struct stored_more *more);
/* 0; positive: they make no sense. */
int stored_read_settings(struct bytes map, struct project_settings *out);
