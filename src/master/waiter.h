/*
 * A waiter: a call that is answered when a task has ended. It hangs on the task's list and on its session's, so that
 * either may go first. Any number may wait for one task.
 */
#pragma once

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct session;
struct task;

enum waiter_kind { WAITER_SUBMIT, WAITER_WAIT, WAITER_CANCEL };

struct waiter {
        struct list by_task, by_session;
        struct session *session;
        struct task *task;
        uint64_t seq;
        enum waiter_kind kind;
        bool duplicate; /* a submit whose key named an earlier task */
        bool owns;      /* the task lives and dies with this call */
};

/* -ENOMEM. */
int waiter_new(struct session *session, struct task *task, uint64_t seq, enum waiter_kind kind, struct waiter **out);
void waiter_free(struct waiter *w);
