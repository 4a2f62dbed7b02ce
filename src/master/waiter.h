/*
 * A waiter: a call that is answered when a task has ended. It hangs on the task's list and on its session's, so that
 * either may go first. Any number may wait for one task.
 */
#pragma once

#include "base/buf.h"
#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;
struct task;

/* The later ones wait for the store, not for an end. */
enum waiter_kind {
        WAITER_SUBMIT,
        WAITER_WAIT,
        WAITER_CANCEL,
        WAITER_FOLLOW,
        WAITER_KEPT,
        WAITER_REVIVED,
        WAITER_LIMIT,
        WAITER_SETTINGS,
        WAITER_MEASURED,
};

enum { WAITER_STREAMS = 3 }; /* as in the wire's output.stream */

struct waiter {
        struct list by_task, by_session;
        struct session *session;
        struct task *task;
        uint64_t seq;
        size_t bytes; /* of the task, where it came with this call */
        enum waiter_kind kind;
        bool duplicate; /* a submit whose key named an earlier task */
        bool owns;      /* the task lives and dies with this call */
        bool follows;   /* gets the task's output as it comes */
        uint16_t attempt;              /* whose output it got last, from 1 */
        uint64_t seen[WAITER_STREAMS]; /* bytes of that attempt's streams */
};

/* Like the call, of which seq, kind, bytes, duplicate, owns and follows count. -ENOMEM. */
int waiter_new(struct session *session, struct task *task, const struct waiter *call);
/* The same on another list than a task's. */
int waiter_hang(struct session *session, struct task *task, struct list *list, const struct waiter *call);
void waiter_free(struct waiter *w);

/* Whether anybody gets the task's output as it comes. */
bool waiter_follows(const struct task *task);
/* The part of a piece of output that this waiter has not seen, which it has from now on. Empty: none. */
struct bytes waiter_unseen(struct waiter *w, unsigned int attempt, unsigned int stream, uint64_t at, struct bytes data);
