/*
 * A task from its acceptance to the day its record is let go. The scheduler moves it, the master's shell fills in what
 * came back, and its state changes through task_move() alone.
 *
 * A million of these may wait at once: what most tasks never need lives behind the pointers at the end.
 * Times are monotonic nanoseconds, except those called wall: milliseconds since 1970, for people only.
 */
#pragma once

#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/uuid.h"
#include "master/heap.h"
#include "wire/message.h"

struct project;
struct task_type;

/* The words are those of the record and of `list`; TASK_NEW is what was not accepted yet and has none. */
#define TASK_STATES(X)                                                                                       \
        X(NEW, "new")                                                                                        \
        X(QUEUED, "queued")       /* may run as soon as there is a seat and its project may */               \
        X(DELAYED, "delayed")     /* its time has not come: delay, runAt, between two attempts */            \
        X(RUNNING, "running")                                                                                \
        X(SUCCEEDED, "succeeded")                                                                            \
        X(FAILED, "failed")                                                                                  \
        X(CANCELLED, "cancelled")                                                                            \
        X(DEAD, "dead")           /* attempts used up: kept, and retried by hand */

enum task_state {
#define X(id, word) TASK_##id,
        TASK_STATES(X)
#undef X
        TASK_STATE_COUNT,
};

/* Which workers can run a task. The built-in classes, and one for each handler of the operator's own (handlers.h). */
enum { HANDLERS_MAX = 32 };
enum task_class {
        CLASS_JS,
        CLASS_COMPILE,
        CLASS_HTTP,
        CLASS_SHELL,
        CLASS_HANDLERS, /* the first of them */
        CLASSES = CLASS_HANDLERS + HANDLERS_MAX,
};

/* As in the wire's task_options.isolation: the index of the word. */
enum isolation { ISOLATION_HEAP, ISOLATION_PROJECT, ISOLATION_PROCESS }; /* a greater one is stricter */

enum { TASK_PRIORITY_MAX = 10, TASK_PRIORITIES = 11 };

/* An attempt that is written before it begins: see claims.h. */
enum task_claim { CLAIM_NONE, CLAIM_ASKED, CLAIM_KEPT, CLAIM_BEGUN };

struct task_attempt {
        uint32_t worker;
        int32_t pid;
        int64_t started_wall, ended_wall; /* ended_wall: 0 while it runs */
        uint8_t outcome;                  /* enum wire_code; WIRE_OK: succeeded, or still running */
        bool killed_worker;               /* the worker did not survive it */
        bool lost;                        /* the supervisor ended while it ran: how far it came is not known */
        bool claimed;                     /* lost, and whether it had begun is not known either: there is no worker */
        uint8_t signal;                   /* that ended the worker; 0: none */
};

/* What an ended attempt left behind; the bytes are encoded values, owned, from malloc. */
struct task_outcome {
        enum wire_code code;
        struct bytes value, error, logs, timings;
        struct bytes isolation; /* the layers that held, encoded; borrowed, never freed */
        bool truncated;
        int64_t run_ns, cpu_ns;
        uint64_t max_memory_bytes;
};

/* What few tasks bring along. The bytes are owned, from malloc. */
struct task_extra {
        struct map_node by_key; /* the shell's, for idempotency */
        struct task *task;
        struct bytes key, meta, traceparent;
};

struct task {
        struct uuid id;
        struct map_node by_id;  /* the shell's */
        struct list by_age;     /* the shell's: all tasks, by creation */
        struct list waiters;    /* the shell's: who is told of its end */
        struct list node;       /* the scheduler's: the list of its state */
        struct heap_node timer; /* the scheduler's: when time alone does something to it; ended: the shell's */
        struct project *project;
        const struct task_type *type;
        uint64_t sequence; /* FIFO order; a new one each time it is queued */
        uint64_t place;    /* the shell's: its name in the store; 0: it is not kept there */

        int64_t created_wall;
        int64_t since;          /* when the present state began */
        int64_t waited;         /* spent in TASK_QUEUED, finished stays only */
        int64_t not_before;     /* 0: at once */
        int64_t start_deadline; /* of the first attempt; 0: none */
        int64_t timeout;        /* of one attempt; 0: none */
        int64_t retry_delay, result_ttl;

        struct bytes payload; /* the client's {type, ...}; owned, from malloc */
        struct task_attempt *attempts;
        struct task_outcome *outcome; /* of the last attempt; NULL before the first has ended */
        struct task_extra *extra;     /* NULL: nothing */

        uint32_t generation; /* counts dispatches: a late message of an earlier one shows by it; the store's fence */
        uint16_t n_attempts, max_attempts;
        uint8_t state, class, isolation; /* enums as above; isolation is what the task asked for */
        uint8_t priority;
        uint8_t kills;           /* attempts that cost a worker */
        bool durable : 1;        /* outlives a caller that waits and goes away */
        bool cancel_asked : 1;   /* it runs, and shall not be retried */
        bool quarantined : 1;    /* its next attempt runs alone in a fresh process and is the last */
        bool held : 1;           /* the shell's word: it is delayed until scheduler_unhold */
        bool restored : 1;       /* from the store, at the start: goes before all that came since */
        uint8_t claim : 2;       /* the shell's: enum task_claim */
        bool ending : 1;         /* the shell's: its end is on its way to the store, and nobody sees it before it is there */
};

/* Every task with defaults of zero and ISOLATION_HEAP; takes the payload over, also when it fails. NULL: no memory. */
struct task *task_new(struct uuid id, struct bytes payload);
/* Only when the scheduler does not hold it any more. */
void task_free(struct task *t);

/* The extra part, made at the first call. NULL: no memory. */
struct task_extra *task_extra(struct task *t);
/* A blank outcome in the place of an earlier one. NULL: no memory, and the earlier one stays. */
struct task_outcome *task_outcome_reset(struct task *t);
/* Frees what the record of an ended task does not need: the payload of all but dead ones is never run again. */
void task_drop_payload(struct task *t);
/* Attempts, kills, outcome and quarantine as if it had never been run. */
void task_forget_attempts(struct task *t);

/* Enters an attempt in the ledger, before anything is sent to the worker, and counts the generation up, unless that was done
 * for its claim. -ENOMEM. */
int task_attempt_begin(struct task *t, uint32_t worker, int32_t pid, int64_t wall);
void task_attempt_end(struct task *t, enum wire_code outcome, bool killed_worker, int64_t wall);

/* The one door for every state change: asserts that the edge exists, keeps `since` and `waited`, and moves the task to
 * the end of the new state's list (NULL: into none). Called by the scheduler. */
void task_move(struct task *t, enum task_state to, struct list *list, int64_t now);
bool task_edge_allowed(enum task_state from, enum task_state to);

/* Succeeded, failed, cancelled or dead. */
bool task_ended(const struct task *t);
const char *task_state_name(enum task_state state);

/* The stricter of two. */
static inline enum isolation isolation_max(enum isolation a, enum isolation b)
{
        return a > b ? a : b;
}
