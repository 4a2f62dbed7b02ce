/*
 * The master's view of one worker process and of what it runs, from the request for it to its burial. What it says is
 * hostile: a frame that is not in order costs the worker its life and nothing else.
 *
 *   REQUESTED  the spawner was asked       STARTING  it exists and locks itself down
 *   SERVING    it is ready or runs a task  ENDING    it was told to go, or killed; its death is awaited
 */
#pragma once

#include "master/loader_link.h"
#include "master/peer.h"
#include "master/scheduler.h"
#include "master/verdict.h"

#include <sys/types.h>

struct pool;
struct worker;

/* One attempt on a worker. */
struct worker_run {
        struct run run; /* the scheduler's; without a task it is free */
        struct worker *worker;
        struct ev_timer deadline; /* behind the worker's own: the attempt's backstop */
        uint32_t number;          /* a late message or signal of an earlier run shows by it */
        bool followed;            /* the worker was asked for its output */
        uint64_t output_bytes;    /* that it has sent */
};

enum worker_state { WORKER_REQUESTED, WORKER_STARTING, WORKER_SERVING, WORKER_ENDING };

struct worker {
        struct seat seat;
        struct list node; /* of pool->workers */
        struct pool *pool;
        enum worker_state state;
        uint8_t class; /* enum task_class */
        uint8_t kind;  /* enum class_kind */
        bool was_ready;
        bool beats; /* is judged by its heartbeats */
        bool seated; /* the scheduler counts on it; a successor that stands by is not */
        struct worker_run *runs; /* as many as the class has room for */
        uint32_t n_runs, last_run;
        uint64_t settings; /* the revision that it was told; 0: none */
        uint32_t id;
        unsigned int slot;
        pid_t pid;
        int pidfd;
        struct peer peer;
        bool has_peer;
        struct asker asker; /* what its run asks the loader */
        struct ev_io death;
        struct ev_timer watch;    /* what is due next: ready, a heartbeat, the end */
        int64_t requested_at, last_heard;
        int64_t started_wall;
        uint64_t task_limit;         /* tasks until it is replaced; 0: unlimited */
        struct worker *successor;    /* is being started to take its place, or stands by */
        struct worker *predecessor;  /* whose place it takes */
        enum wire_code verdict;      /* why we killed it, as its task will be told; WIRE_OK: we did not */
        const struct worker_run *culprit; /* the run for which we did; NULL: for none, or all of them */
        const char *end_reason;
        char last_words[400];        /* what it said keeps it from going on; "": nothing */
        struct bytes layers; /* interned by the pool, which may have no room for them */
        bool has_layers;     /* they were told */
        int64_t cpu_told;    /* what its runs say that they used */
        struct grave grave;
};

/* In the state REQUESTED; the pool puts it into its list. NULL: no memory. */
struct worker *worker_new(struct pool *pool, uint32_t id, unsigned int slot, enum task_class class);

/* It exists now: takes both descriptors over. */
void worker_attach(struct worker *w, pid_t pid, int channel_fd, int pidfd);

/* Ends a process that nobody waits for any more. */
void worker_abandon(pid_t pid, int channel_fd, int pidfd);

/* For a task that the scheduler has sent here: there is one while its seat has room. */
struct worker_run *worker_free_run(struct worker *w);
/* The run of this task; NULL: it is not here. */
struct worker_run *worker_run_of(struct worker *w, const struct task *t);

/* Sends the run's task, after its attempt is in the ledger and the scheduler knows; sets the backstop. -ENOBUFS, -ENOMEM. */
int worker_run(struct worker_run *r);
/* Tells what the configuration says, before the next run. */
int worker_configure(struct worker *w, struct bytes settings, uint64_t revision);

/* Asks the run to end with CANCELLED; SIGKILL follows after killGrace. */
void worker_cancel(struct worker_run *r);
/* Asks for the run's output, from its beginning. */
void worker_follow(struct worker_run *r);
/* The run is over: nothing of it can come any more. Before scheduler_ended. */
void worker_run_over(struct worker_run *r);

/* The one way to end a worker: closes its channel, so that it leaves when it is done with nothing; SIGKILL after
 * killGrace. */
void worker_end(struct worker *w, const char *reason);
/* Kills it; its task, if any, is told the verdict. */
void worker_kill(struct worker *w, enum wire_code verdict, const char *reason);

const char *worker_state_name(const struct worker *w);

/* ---- between a worker and the loader (worker_loads.c) ---- */

extern const struct loader_link_ops worker_loader_ops;

int worker_on_load(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why);
int worker_on_check(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why);
