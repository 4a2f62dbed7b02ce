/*
 * The way of a task through the supervisor: taken in, sent to a worker, ended, told to whoever waits. The scheduler
 * decides; here the decisions are carried out and the records are written.
 */
#pragma once

#include "master/pool.h"
#include "master/registry.h"
#include "master/retry.h"

struct dispatch {
        struct loop *loop;
        struct scheduler *scheduler;
        struct registry *registry;
        struct pool *pool;
        struct retry_policy retry;
        struct ev_timer wake; /* the scheduler's next_wake, the registry's next expiry */
        const struct dispatch_ops *ops;
};

struct dispatch_ops {
        /* The task has ended and its record is complete: tell the waiters. */
        void (*on_task_ended)(struct dispatch *, struct task *);
        /* A worker is about to get a task: tells it what the configuration says, unless it knows. Negative: it cannot be told. */
        int (*configure)(struct dispatch *, struct worker *, const struct task *);
        /* Of tasks with a place: the attempt is to be written before it is sent, then comes dispatch_attempt_kept() or
         * dispatch_attempt_refused(); the task waits again; its end is to be written before anybody sees it, then comes
         * dispatch_end_kept(). */
        void (*keep_attempt)(struct dispatch *, struct task *);
        void (*keep_release)(struct dispatch *, struct task *);
        void (*keep_end)(struct dispatch *, struct task *, enum task_state);
};

void dispatch_init(struct dispatch *d, struct loop *loop, struct scheduler *scheduler, struct registry *registry,
        struct pool *pool, const struct dispatch_ops *ops);
void dispatch_fini(struct dispatch *d);

/* Carries out every decision that can be taken now. Called in every tick, before pool_scale(). */
void dispatch_run(struct dispatch *d);

/* When the next decision comes by time alone; called after pool_scale(). */
void dispatch_set_wake(struct dispatch *d);

/* An attempt that was never sent is none: its worker died before. */
void dispatch_attempt_unsent(struct dispatch *d, struct worker_run *r);
/* An attempt is over, in whatever way. */
void dispatch_attempt_ended(struct dispatch *d, struct worker_run *r, const struct attempt_report *report);

/* What the store said; fence: of the attempt that was asked for. */
void dispatch_attempt_kept(struct dispatch *d, struct task *t, uint64_t fence);
/* Not written: the task waits again, as if it had not been started; or it is another supervisor's, and fails here. */
void dispatch_attempt_refused(struct dispatch *d, struct task *t, uint64_t fence, bool disowned);
void dispatch_end_kept(struct dispatch *d, struct task *t, enum task_state state);
/* Ends a waiting task without an attempt. */
void dispatch_end_unrun(struct dispatch *d, struct task *t, enum task_state state, enum wire_code code, const char *message);

/* Queues a dead task anew, by hand. 0; positive: refused, with when to try again; -ENOMEM. */
int dispatch_revive(struct dispatch *d, struct task *t, struct wire_refusal *why, int64_t *retry_after_ms);

/* Ends the tasks of a class that wait and are not kept, with TYPE_DISABLED; the kept ones go on waiting. */
void dispatch_refuse_class(struct dispatch *d, enum task_class class, const char *reason);

/* Somebody follows this task from now on: what runs of it is asked for its output. */
void dispatch_follow(struct dispatch *d, struct task *t);

/* True: it is over now, by this or before. False: its worker was asked, and the end will come. */
bool dispatch_cancel(struct dispatch *d, struct task *t, const char *why);
