/*
 * The pool: which workers there are, and the three doors through which they come and go - pool_scale() starts and retires
 * them as the autoscaler says, recycle() lets a worn one be followed by a fresh one, and a death is met by what
 * pool_scale() finds missing. It knows nothing of tasks beyond the seats that they sit on.
 */
#pragma once

#include "config/config.h"
#include "master/autoscaler.h"
#include "master/breaker.h"
#include "master/loader_link.h"
#include "master/requirement.h"
#include "master/spawner_link.h"
#include "master/task_types.h"
#include "master/worker.h"

/* POOL_LOG_BYTES: what console output of one task is kept. */
enum { POOL_LOG_BYTES = 256 * 1024, POOL_SLOTS = 4096, POOL_LAYERS_MAX = 64 };

/* What is left of an attempt. The bytes are borrowed; error may be empty, then `message` says what is known. */
struct attempt_report {
        enum wire_code code;
        struct bytes value, error, logs, timings;
        bool truncated, worker_lost;
        bool innocent; /* the worker was lost for another attempt's sake */
        int64_t cpu_ns;
        uint64_t max_memory_bytes;
        uint8_t signal; /* that ended the worker; 0: none */
        const char *message;
};

struct pool_ops {
        /* The attempt is over. Comes before the worker is told to go, if it must. */
        void (*on_attempt_ended)(struct pool *, struct worker_run *, const struct attempt_report *);
        /* The worker is dead and this run was never sent to it: it waited for its attempt to be on disk. */
        void (*on_attempt_unsent)(struct pool *, struct worker_run *);
        /* A run that was asked for its output has sent a piece. */
        void (*on_output)(struct pool *, struct worker_run *, const struct wire_worker_output *);
        /* What holds around the worker, as it says itself: 0 if that is enough; positive: text says what is missing. */
        int (*judge_layers)(struct pool *, const struct worker *, struct bytes layers, char text[static REQUIREMENT_TEXT]);
        /* No worker of the class is started any more, since too little holds around them. */
        void (*on_class_barred)(struct pool *, enum task_class class, const char *reason);
        /* A handler's worker has measured something. Positive: refused. */
        int (*on_metric)(struct pool *, struct worker *, const struct wire_worker_metric *, struct wire_refusal *why);
        /* What the spawner needs for a worker of a handler's class. Its bytes are good until the next call. Negative: it is
         * not configured any more, or there is no memory. */
        int (*describe_handler)(struct pool *, enum task_class class, struct wire_handler *out);
};

struct pool {
        struct loop *loop;
        struct scheduler *scheduler;
        struct spawner_link *spawner;
        struct loader_link *loader;
        const struct task_types *types;
        const struct config_worker *config; /* the live one */
        const struct pool_ops *ops;
        struct autoscaler autoscaler;
        struct list workers;
        uint32_t n_workers, next_id;
        uint64_t slots[POOL_SLOTS / 64]; /* bit: taken */
        struct breaker breakers[CLASSES];
        struct bytes layers[POOL_LAYERS_MAX]; /* each distinct answer once, for life */
        size_t n_layers;
        uint64_t max_result_bytes, max_reply_bytes; /* of a value; of the frame that brings it */
        uint64_t started, died;
        int processors; /* of the machine: bounds what a worker may claim to have used */
        struct ev_timer wake;
        int learns;   /* the class whose filters refuse nothing; negative: none */
        bool closing; /* no worker is started any more */
};

int pool_init(struct pool *p, struct loop *loop, struct scheduler *scheduler, struct spawner_link *spawner,
        const struct task_types *types, const struct config *config, int processors, const struct pool_ops *ops);
/* Every worker is gone by then. */
void pool_fini(struct pool *p);

/* Takes over a reloaded configuration. */
void pool_configure(struct pool *p, const struct config *config);

/* Starts and retires workers until there are as many as there should be. Called in every tick. */
void pool_scale(struct pool *p);

/* Whether a worker may be started now: not at the end, without a spawner, or while its class's breaker says no. */
bool pool_may_start(const struct pool *p, enum task_class class, int64_t now);
/* What kept workers from starting may have been mended: all classes try again at once. */
void pool_try_again(struct pool *p);
/* The breaker with the most failures in a row. */
enum task_class pool_worst_class(const struct pool *p);
/* Starts one; predecessor: the one whose place it takes later, or NULL. Negative: it could not even be asked for. */
int pool_start(struct pool *p, enum task_class class, struct worker *predecessor);

/* A worker that is no use any more: retired at once when idle, else after its tasks. */
void pool_retire(struct worker *w, const char *reason);
/* All workers of a class, since what they were made of has changed; those that are being started as soon as they are ready. */
void pool_retire_class(struct pool *p, enum task_class class, const char *reason);
/* As many of a class as it has more than it may have now, the idle ones first. */
void pool_trim_class(struct pool *p, enum task_class class, const char *reason);

/* Ends everything: politely, or by SIGKILL. */
void pool_close(struct pool *p, bool now);

/* Whether one of its workers is this process. */
bool pool_has_pid(const struct pool *p, pid_t pid);
/* NULL: no such worker. */
struct worker *pool_find(const struct pool *p, uint64_t id);

/* From the spawner's link. */
void pool_spawned(struct pool *p, uint64_t id, pid_t pid, int channel_fd, int pidfd);
void pool_spawn_failed(struct pool *p, uint64_t id, const char *reason);
void pool_spawner_lost(struct pool *p);

/* From workers. */
void pool_spawner_silent(struct worker *w);
/* It was killed or shall go: no task may be sent to it any more, and its place is free. */
void pool_worker_condemned(struct worker *w);
void pool_worker_ready(struct worker *w);
/* What it says holds around it. Where that is too little it is killed; and its class is barred, if it is fresh. */
void pool_worker_layers(struct worker *w, struct bytes layers, bool fresh);
/* The same bytes, kept for good; empty when there is no room for one more answer. */
struct bytes pool_intern_layers(struct pool *p, struct bytes layers);
/* An attempt that was not sent is over: it was cancelled first. */
void pool_attempt_over(struct worker_run *r, const struct attempt_report *report);
/* The same for one that is as if it had never been: the seat has been given back already. */
void pool_run_returned(struct worker *w);
int pool_worker_replied(struct worker_run *r, const struct wire_worker_run_reply *reply, struct wire_refusal *why);
void pool_worker_died(struct worker *w, const struct worker_death *death);
