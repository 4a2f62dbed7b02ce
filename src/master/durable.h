/*
 * What is durable, and when: the joint between the tasks and the store. A task with a place is kept:
 *
 *   it is accepted    held until it is on disk; then its submit is answered and it may run
 *   it is to run      its attempt is on disk before the worker gets it: written ahead (claims.h), or waited for
 *   it ends           its record is on disk before anybody sees it
 *
 * Without a store every function here is a test of one pointer.
 */
#pragma once

#include "master/claims.h"
#include "master/dispatch.h"
#include "master/store_link.h"

struct durable;
struct waiter;
struct session;

struct durable_ops {
        /* The task is on disk, or is queued anew there: tell those who wait for that. */
        void (*on_kept)(struct durable *, struct task *);
        /* It is not, and its change is withdrawn: tell everybody who waits for it, whole: or only those who wait for that. */
        void (*on_refused)(struct durable *, struct task *, bool whole, const struct wire_refusal *why);
        /* A project's new settings are on disk (why NULL) or refused: tell this caller. */
        void (*on_setting)(struct durable *, struct project *, const struct waiter *, const struct wire_refusal *why);
        /* The store is there for the first time. */
        void (*on_opened)(struct durable *);
        /* Whoever had to wait for the store or for what it holds may ask again: it is open, or all is loaded, or it is given
         * up for now. */
        void (*on_loaded)(struct durable *);
        /* The first start failed. */
        void (*on_unusable)(struct durable *, const struct wire_store_unusable *);
        /* NULL: the store is gone, and will not answer. */
        void (*on_measured)(struct durable *, const struct wire_store_measure_reply *);
};

struct durable {
        struct store_link link;
        bool on;
        bool opened, loading;
        struct scheduler *scheduler;
        struct registry *registry;
        struct dispatch *dispatch;
        struct pool *pool;
        const struct task_types *types;
        const struct durable_ops *ops;
        uint64_t last_place;             /* given out */
        uint64_t load_through, loaded;   /* places: what there was at the start; what came of it */
        uint64_t n_restored, n_lost;     /* tasks that came back; of these how many had been running */
        int64_t load_started;
        struct list parked; /* changes that must be made when the store can write again */
        struct buf scratch;
        struct claims claims;
        struct ev_timer claims_due;
        struct unknown_type *unknown; /* types of kept tasks that are no longer configured */
};

struct durable_setup {
        struct scheduler *scheduler;
        struct registry *registry;
        struct dispatch *dispatch;
        struct pool *pool;
        const struct task_types *types;
        const struct durable_ops *ops;
};

/* Not calling it leaves everything in memory. */
int durable_start(struct durable *d, struct loop *loop, const struct durable_setup *setup,
        const struct store_link_setup *store, const struct config_worker *config);
void durable_fini(struct durable *d);

/* Positive: nothing can be kept now, `why` says so. */
int durable_check(const struct durable *d, struct wire_refusal *why);
/* Makes it a kept task: before scheduler_accept(). */
void durable_mark(struct durable *d, struct task *t);
/* After it was accepted. -ENOMEM. */
int durable_accept(struct durable *d, struct task *t);
/* The waiter is a copy, of which session, seq and kind count. -ENOMEM. */
int durable_setting(struct durable *d, struct session *session, const struct project *p,
        const struct project_settings *settings, const struct waiter *call);
/* An ended task is let go. */
void durable_forget(struct durable *d, const struct task *t);

/* Whether something is under way that should be over before the end. */
static inline bool durable_busy(const struct durable *d)
{
        return d->on && d->link.available && d->link.n_waiting;
}

/* Claims what comes next, and gives back what nobody used. Called in every tick, after dispatch_run(). */
void durable_look_ahead(struct durable *d);

/* For the dispatcher. */
void durable_attempt(struct durable *d, struct task *t);
void durable_release(struct durable *d, struct task *t);
void durable_end(struct durable *d, struct task *t, enum task_state state);
