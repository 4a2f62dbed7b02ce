/*
 * The scheduler: which task runs next, on which worker, and whether a task is taken in at all. Pure: `now` (monotonic
 * nanoseconds) comes in, decisions go out; it starts nothing, sends nothing, reads no clock.
 *
 *   order    Strict by level (priority, risen with waiting: see project.h). At the same level the project goes first that
 *            has used the least worker time for its weight; FIFO within project and level.
 *   limits   processLimit, rateLimit, pause: a project that may not start anything stands in no order at all, so a limit
 *            costs nothing while it holds.
 *   seats    A seat is the scheduler's view of one worker. It serves one project only (isolation project), any (heap), or
 *            one single task (process). A task takes a seat bound to its project, else a fresh one, else the longest idle
 *            seat of others makes room. Some classes have seats with room for many tasks at once; such a seat may never be
 *            idle, so when others wait and nothing else makes room, it is closed after a while, one at a time.
 *
 * How the shell uses it, after every event and when scheduler_next_wake() has come:
 *
 *   while (scheduler_decide(s, now, &d))
 *           switch (d.kind) {
 *           case DECIDE_RUN:     send the task; then scheduler_started(s, d.task, d.seat, run, now)
 *                                or, when the worker turns out to be dead, scheduler_seat_gone(s, d.seat, now)
 *           case DECIDE_REPLACE: scheduler_seat_retire(s, d.seat, now); end the worker
 *           case DECIDE_EXPIRE:  record START_DEADLINE; scheduler_finish(s, d.task, TASK_FAILED, now)
 *           }
 *   then ask the autoscaler: the room that REPLACE made is filled by its growth, with scheduler_wanted_class().
 *
 * A decision that was not carried out is given again.
 */
#pragma once

#include "master/project.h"
#include "master/task.h"
#include "wire/codec.h"

/* IDLE: runs nothing. OPEN: runs something and has room for more. BUSY: has none. */
enum seat_state { SEAT_STARTING, SEAT_IDLE, SEAT_OPEN, SEAT_BUSY, SEAT_GONE };
enum seat_use { SEAT_FRESH, SEAT_BOUND, SEAT_SHARED, SEAT_SINGLE }; /* SINGLE: spent after its one task */

/* Embedded in the shell's worker. Only the shell frees it, after scheduler_seat_gone. */
struct seat {
        struct list idle;        /* all idle seats, the longest idle first */
        struct list place;       /* fresh, shared or bound seats of its kind that have room, latest first */
        struct list held;        /* seats for many that run something, in the order in which they began to */
        struct list runs;        /* struct run: what it runs, the oldest first */
        uint32_t n_runs, capacity;
        struct project *project; /* SEAT_BOUND and SEAT_SINGLE: whose it is; else NULL */
        int64_t idle_since, held_since;
        uint64_t tasks_done;
        uint8_t state, use, class;
        bool retiring;           /* takes no more tasks and does not count any more */
};

/* A task on a seat. Embedded in whatever the shell keeps of a running attempt; from scheduler_started to scheduler_ended. */
struct run {
        struct list node; /* of seat->runs */
        struct seat *seat;
        struct task *task;
        double charged; /* what the task moved its lane's turn by in advance */
};

enum scheduler_mode {
        SCHEDULER_OPEN,
        SCHEDULER_DRAINING, /* takes nothing new; what is there is finished */
        SCHEDULER_STOPPING, /* starts nothing either */
};

struct scheduler_config {
        uint64_t max_length;    /* most tasks queued and delayed; 0: unlimited */
        uint64_t max_bytes;     /* most bytes of tasks that have not ended; 0: unlimited */
        bool reject_on_limit;   /* queue.onLimit is "reject" */
        int64_t aging_interval; /* 0: nothing rises */
        enum isolation isolation;
        uint32_t max_seats;     /* as the autoscaler's max: REPLACE is for a full pool only */
        struct project_settings defaults; /* of projects that the configuration does not name */
};

/* Seats and waiting tasks of one class. */
struct class_pool {
        struct heap order[ORDERS]; /* of lanes that may start a task: ALL of them; those with a BOUND seat that has room for
                                    * their head; those whose head may use a SHARED one */
        struct list fresh, shared; /* seats with room */
        uint32_t capacity;         /* tasks at once on a seat */
        uint32_t max_seats;        /* most seats; 0: as many as there may be in all */
        uint32_t seats;            /* without retiring ones */
        double clock[TASK_PRIORITIES];  /* how far the turns of those who went first have come, by rank */
        double latest[TASK_PRIORITIES]; /* the furthest turn charged */
        uint64_t runnable;         /* waiting tasks that only lack a room on a seat */
        uint64_t lacking;          /* seats that these would fill, each project its own */
        uint32_t starting, busy;   /* seats, without retiring ones; busy: with or without room */
        size_t n_lanes;
        bool held;                 /* no seat can be had for now: its tasks wait, and take no room from others */
        bool withdrawn;            /* nobody serves it until somebody configures it again: its lanes stand in no order */
};

struct scheduler_counts {
        uint64_t queued, delayed, running;
        uint64_t bytes;            /* payloads of these */
        uint64_t completed, failed, cancelled, dead, retried, refused; /* since the start */
        uint64_t attempts;         /* ended ones */
        int64_t run_ns, cpu_ns;    /* of ended attempts */
};

struct scheduler {
        struct scheduler_config config;
        enum scheduler_mode mode;
        struct class_pool pools[CLASSES];
        struct map projects;
        struct list forgettable;   /* projects without tasks and settings, latest last */
        size_t n_forgettable;
        struct list idle;          /* seats, the longest idle first */
        struct list held;          /* seats for many that run something: under load they may never idle */
        uint32_t n_draining;       /* of these, how many retire */
        int64_t close_at;          /* when one may be closed for those who wait; INT64_MAX: nothing to close */
        struct list delayed, running, ended; /* tasks; ended: the oldest end first; queued ones are in their lanes */
        struct heap timers;        /* tasks by the time that does something to them */
        struct heap rate_wait;     /* projects by their next token */
        struct heap aging;         /* lanes by next_rise */
        struct scheduler_counts counts;
        uint64_t sequence, restored, tickets;
        bool kept_held; /* tasks that the store keeps do not start */
        size_t n_lanes;
        uint64_t classes;          /* bit: a lane of this class may start a task */
        uint32_t seats, busy, n_idle, n_open, starting; /* without retiring ones; busy: without room */
        int64_t last_end, end_interval; /* of attempts: the measured service rate */
};

void scheduler_init(struct scheduler *s, const struct scheduler_config *config);
/* The shell has released every task and reported every seat gone before. Projects are freed. */
void scheduler_fini(struct scheduler *s);
/* New limits, defaults and isolation, live. Projects without settings of their own follow the new defaults. */
void scheduler_configure(struct scheduler *s, const struct scheduler_config *config, int64_t now);
void scheduler_set_mode(struct scheduler *s, enum scheduler_mode mode, int64_t now);
/* How many tasks a seat of this class takes at once (1 at first; those that are there keep theirs), and how many seats the
 * class may have at most (those that are there are the shell's to retire). */
void scheduler_set_class(struct scheduler *s, enum task_class class, uint32_t capacity, uint32_t max_seats, int64_t now);

/* Tasks of a class that is withdrawn wait as those of a paused project do. */
void scheduler_withdraw_class(struct scheduler *s, enum task_class class, bool withdrawn, int64_t now);

/* ---- projects ---- */

enum { SCHEDULER_PROJECTS_MAX = 100000, SCHEDULER_FORGETTABLE_MAX = 1000 };

/* The project of this name, made at its first use with the defaults. Positive: refused (the name, too many projects),
 * and `why` says so. -ENOMEM. Without tasks or settings it is good only until the next call of this function. */
int scheduler_project(struct scheduler *s, struct bytes name, struct project **out, struct wire_refusal *why);
struct project *scheduler_project_find(const struct scheduler *s, struct bytes name);
/* Any order; NULL starts, NULL ends. */
struct project *scheduler_project_next(const struct scheduler *s, const struct project *after);
/* Gives a project settings of its own, live. NULL: back to the defaults. */
void scheduler_project_set(
        struct scheduler *s, struct project *p, const struct project_settings *settings, int64_t now);

/* ---- tasks ---- */

/* Takes in a task whose project, class and options are set. 0; positive: refused, `why` says so and *retry_after_ms is
 * when it may be worth trying again (-1: never as it is); -ENOMEM. The task stays the shell's either way; once accepted
 * it ends through scheduler_release. */
int scheduler_accept(
        struct scheduler *s, struct task *t, int64_t now, struct wire_refusal *why, int64_t *retry_after_ms);
/* Takes back a task that was accepted before a restart: no limit refuses it. -ENOMEM. */
int scheduler_restore(struct scheduler *s, struct task *t, int64_t now);

/* The same for one that has ended already, at this time; it is only released again. */
int scheduler_restore_ended(struct scheduler *s, struct task *t, enum task_state state, int64_t since);
/* A waiting task is delayed, whatever its times say, until it is let go on or finished. A task that has `held` set before it is
 * accepted or restored is held from the start. */
void scheduler_hold(struct scheduler *s, struct task *t, int64_t now);
void scheduler_unhold(struct scheduler *s, struct task *t, int64_t now);
/* Projects whose next task has a place in the store wait until this is taken back. */
void scheduler_hold_kept(struct scheduler *s, bool held, int64_t now);

enum decision_kind { DECIDE_RUN, DECIDE_REPLACE, DECIDE_EXPIRE };

struct decision {
        enum decision_kind kind;
        struct task *task; /* RUN, EXPIRE */
        struct seat *seat; /* RUN, REPLACE */
};

/* False: nothing to do at this time. */
bool scheduler_decide(struct scheduler *s, int64_t now, struct decision *d);
/* The task goes to this seat: as decided by RUN. */
void scheduler_started(struct scheduler *s, struct task *t, struct seat *seat, struct run *run, int64_t now);

/* The task that was started could not be sent after all: it is the first in its queue again, as if it had not been. */
void scheduler_unstarted(struct scheduler *s, struct run *run, int64_t now);

struct attempt_use {
        int64_t run_ns, cpu_ns; /* the greater one is charged to the project */
        bool seat_spent;        /* the worker is dead or must not serve again */
};

/* An attempt is over: its seat has room again, or is retiring (see seat->retiring) when it was spent, ran with isolation
 * process or had been asked to retire. The task is to be handed to scheduler_finish or scheduler_retry next. */
void scheduler_ended(struct scheduler *s, struct run *run, const struct attempt_use *use, int64_t now);
/* The task has ended in this state: one that task_ended() knows. */
void scheduler_finish(struct scheduler *s, struct task *t, enum task_state state, int64_t now);
/* Another attempt, not before `at`. */
void scheduler_retry(struct scheduler *s, struct task *t, int64_t at, int64_t now);
/* By hand: a dead task starts over with its attempts, kills and quarantine forgotten. As scheduler_accept(); refused too
 * when it is not dead. */
int scheduler_revive(
        struct scheduler *s, struct task *t, int64_t now, struct wire_refusal *why, int64_t *retry_after_ms);
/* How long the pool takes for so many tasks, at the rate that it was measured at. */
int64_t scheduler_service_ms(const struct scheduler *s, double tasks, int64_t now);

enum cancel_result {
        CANCEL_DONE = 0, /* it is TASK_CANCELLED now */
        CANCEL_RUNNING,  /* interrupt the attempt; it will not be retried. Then ended and finish as always */
        CANCEL_ENDED,    /* too late: it has its end */
};
enum cancel_result scheduler_cancel(struct scheduler *s, struct task *t, int64_t now);

/* Lets go of an ended task; it may be freed then. */
void scheduler_release(struct scheduler *s, struct task *t);

/* ---- seats ---- */

/* How many tasks a new seat of this class has room for. */
static inline uint32_t scheduler_capacity(const struct scheduler *s, enum task_class class)
{
        return s->pools[class].capacity;
}

/* A worker is being started, with room for `capacity` tasks at once. */
void scheduler_seat_added(struct scheduler *s, struct seat *seat, enum task_class class, uint32_t capacity);
/* It has reported ready, and waits for its first task. */
void scheduler_seat_ready(struct scheduler *s, struct seat *seat, int64_t now);
/* It takes no more tasks: its place is free at once if it is idle, after its tasks if it is not. */
void scheduler_seat_retire(struct scheduler *s, struct seat *seat, int64_t now);
/* The process is gone, or was never there. A busy seat must have seen scheduler_ended before. */
void scheduler_seat_gone(struct scheduler *s, struct seat *seat, int64_t now);
/* No worker of this class can be started until this is taken back. Those that are there serve on. */
void scheduler_hold_class(struct scheduler *s, enum task_class class, bool held);
/* The seat that has been idle for longest; NULL: none. */
struct seat *scheduler_oldest_idle(struct scheduler *s);

/* What a seat runs, of many the oldest; NULL: nothing. */
static inline struct task *seat_task(const struct seat *seat)
{
        return seat->n_runs ? list_first_entry(&seat->runs, struct run, node)->task : NULL;
}

/* ---- looking in ---- */

/* When time alone makes something happen; INT64_MAX: never. Rising is not among it: it changes the order of what waits
 * for a seat, and a seat is an event. */
int64_t scheduler_next_wake(const struct scheduler *s);

struct scheduler_load {
        uint32_t seats, starting, busy, idle; /* retiring ones count in none of them; busy: without room */
        uint32_t coming;                      /* starting seats that tasks of their class wait for */
        uint32_t open;                        /* neither idle nor busy: runs something and has room */
        uint64_t runnable;                    /* seats that tasks wait for which lack nothing else */
        uint64_t held;                        /* those of them whose class is held */
        double load;                          /* (busy + runnable) / seats, not capped; with no seat: over 1 seat */
};
struct scheduler_load scheduler_load(const struct scheduler *s);

/* Tasks that are likely to be started within `horizon` nanoseconds, as far as can be seen without starting any: up to n of
 * them, of each class those whose lanes go first. It decides nothing. How many there are. */
size_t scheduler_ahead(const struct scheduler *s, int64_t horizon, struct task **out, size_t n);
/* Whether a task of this project and class would be started at once, were it queued now and the only one. */
bool scheduler_could_start(const struct scheduler *s, const struct project *p, enum task_class class, int64_t now);

/* Whether a queued task will still run without anybody's doing; one of a paused project or a withdrawn class will not. */
bool scheduler_can_run_more(const struct scheduler *s);

/* The class whose tasks wait for a seat that is not being started yet, first in order; none that is held. False: none is
 * needed. */
bool scheduler_wanted_class(const struct scheduler *s, enum task_class *class);

/* How a waiting task's isolation comes out: the strictest of daemon, project and task; quarantine means process. */
enum isolation scheduler_isolation(const struct scheduler *s, const struct task *t);

/* What a waiting task waits for. */
enum wait_reason { WAIT_NOT, WAIT_DELAY, WAIT_STOPPING, WAIT_PAUSED, WAIT_LIMIT, WAIT_RATE, WAIT_TURN, WAIT_SEAT };

struct wait_verdict {
        enum wait_reason reason;
        int64_t until;     /* DELAY, RATE: when that is over; else 0 */
        uint64_t position; /* tasks of its project and priority before it, counted up to WAIT_POSITION_MAX */
};
enum { WAIT_POSITION_MAX = 100000 };
struct wait_verdict scheduler_explain(const struct scheduler *s, const struct task *t, int64_t now);
