/*
 * A stage for the heart: it plays the master's shell with a clock that tests turn by hand and workers that are only seats.
 * stage_settle() carries out every decision there is, as the shell does after each event.
 */
#pragma once

#include "base/clock.h"
#include "master/autoscaler.h"
#include "master/scheduler.h"

enum { STAGE_SEATS = 64, STAGE_RUNS = 4 };

struct stage_seat {
        struct seat seat;
        struct run runs[STAGE_RUNS];
        bool live;
        int64_t due;                  /* for the simulation: when its start is over, */
        int64_t run_due[STAGE_RUNS];  /* and when its tasks are */
};

struct stage {
        struct scheduler s;
        struct autoscaler scaler;
        bool scaling; /* whether settling asks the autoscaler too; else seats come by stage_seat() only */
        int64_t now, start_time;
        struct stage_seat seats[STAGE_SEATS];
        unsigned n_started, n_replaced, n_expired, n_grown, n_retired;
        struct task *last_started;
        struct seat *last_seat;
        /* Told before a task is started. */
        void (*on_run)(struct stage *st, struct task *t, struct seat *seat);
        void *arg;
};

/* One lasting default: no limits, no ageing, isolation heap, one class, max_seats STAGE_SEATS. */
struct scheduler_config stage_config(void);
void stage_init(struct stage *st, const struct scheduler_config *config);
/* Cancels, ends and releases whatever is left. */
void stage_fini(struct stage *st);

struct project *stage_project(struct stage *st, const char *name);
struct project_settings stage_settings(void);
/* Asserts that it is accepted. */
struct task *stage_submit(struct stage *st, struct project *p, int priority);
struct task *stage_task(struct project *p, int priority);
/* 0 or the code of the refusal. */
enum wire_code stage_offer(struct stage *st, struct task *t);

/* An idle fresh seat. */
struct seat *stage_seat(struct stage *st);
/* A seat that is being started. */
struct stage_seat *stage_seat_start(struct stage *st, enum task_class class);
struct stage_seat *stage_of(struct seat *seat);
/* One that no task uses. */
struct run *stage_free_run(struct seat *seat);
void stage_settle(struct stage *st);

/* The attempt on this seat ends after run_ns, and the task with it; a spent seat goes. */
void stage_end(struct stage *st, struct seat *seat, enum task_state state, int64_t run_ns);
/* The attempt ends and the task is to be tried again. */
void stage_end_retry(struct stage *st, struct seat *seat, int64_t at, int64_t run_ns, bool crashed);
/* The task started last ends after run_ns: what is started then; NULL: nothing. */
struct task *stage_next(struct stage *st, int64_t run_ns);
struct seat *stage_seat_of(struct stage *st, const struct task *t);
