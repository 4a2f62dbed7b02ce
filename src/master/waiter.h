/*
 * A waiter: a call that is answered when a task has ended. It hangs on the task's list and on its session's, so that
 * either may go first. Any number may wait for one task.
 */
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct task;

enum waiter_kind { WAITER_SUBMIT, WAITER_WAIT, WAITER_CANCEL };

struct waiter {
        struct list by_task, by_session;
        struct session *session;
        struct task *task;
        uint64_t seq;
        size_t bytes; /* of the task, where it came with this call */
        enum waiter_kind kind;
        bool duplicate; /* a submit whose key named an earlier task */
        bool owns;      /* the task lives and dies with this call */
};

/* Like the call, of which seq, kind, bytes, duplicate and owns count. -ENOMEM. */
int waiter_new(struct session *session, struct task *task, const struct waiter *call);
void waiter_free(struct waiter *w);
