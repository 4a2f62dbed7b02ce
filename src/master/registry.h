/*
 * All tasks that the supervisor knows: by id, by idempotency key, by age. Ended ones stay until the end of their time to
 * live, within a budget of bytes: over it the oldest end goes first.
 */
#pragma once

#include "base/map.h"
#include "master/scheduler.h"
#include "master/task.h"

struct registry {
        struct scheduler *scheduler;
        struct map by_id, by_key;
        struct list by_age; /* oldest first */
        struct list *restored; /* in by_age: the last one of before the start; all others are younger */
        struct heap expiry; /* ended tasks with a time to live, by its end: on their `timer`, which is idle then */
        size_t n_tasks;
        uint64_t kept_bytes, kept_bytes_max; /* of ended tasks; max 0: unlimited */
        struct uuid first; /* every id that was given out is greater */
        void (*on_let_go)(struct registry *, struct task *); /* is told before it is freed; NULL: nobody */
        struct uuid last_gone; /* the greatest id of those let go; zero: none */
};

void registry_init(struct registry *r, struct scheduler *scheduler);
/* Frees every task: for the end of the process only, when nothing runs any more. */
void registry_fini(struct registry *r);

/* Enters an accepted task; the key, where it has one, is in task->extra. -ENOMEM: nothing changed. */
int registry_add(struct registry *r, struct task *t);

/* Takes an ended one out again, as if it had never been there; it is the caller's to free. */
void registry_remove(struct registry *r, struct task *t);

/* NULL: unknown, or let go. */
struct task *registry_find(const struct registry *r, const struct uuid *id);

/* What can be said of an id that is not found. LET_GO is said of every id as old as one that was let go. */
enum registry_absence { REGISTRY_UNKNOWN, REGISTRY_BEFORE_START, REGISTRY_LET_GO };
enum registry_absence registry_absence(const struct registry *r, const struct uuid *id);
struct task *registry_find_key(const struct registry *r, struct bytes project, struct bytes key);

/* The task has ended: its bytes count now, older ones may have to go. */
void registry_keep(struct registry *r, struct task *t);
/* The task will run again: its bytes count no more. */
void registry_unkeep(struct registry *r, struct task *t);

/* Lets go of what has been kept for long enough, a bounded number at a time. When to call again; INT64_MAX: not needed. */
int64_t registry_expire(struct registry *r, int64_t now);

/* Lets go of everything older than max bytes allow, now. */
void registry_set_budget(struct registry *r, uint64_t kept_bytes_max);
