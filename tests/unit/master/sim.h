/*
 * The simulation's world, as its files share it: test_simulation.c makes it live, sim_state.c asserts what must hold at any
 * time, sim_order.c who may go first, and sim_shares.c that worker time is shared. What they assert by is what the world
 * itself has seen.
 */
#pragma once

#include "stage.h"

enum { PROJECTS = 12, LIVE_MAX = 120, CROWD_MAX = 80, SIM_CLASSES = CLASS_HANDLERS + 1 };

/* What the world has seen of a project's tasks of one class. */
struct own_lane {
        uint64_t starts, level_starts[TASK_PRIORITIES]; /* in all, and by priority */
        int64_t level_ready[TASK_PRIORITIES]; /* since it holds something, how long its project could have started something */
        double used, longest;          /* worker time of ended attempts; the most that one of them took */
        double running, running_used;  /* attempts that run, and what they have used so far */
        double most_running;           /* at once, ever */
        double got, in_flight;         /* for its weight: used so far; used by its running tasks, or charged, at the most */
        int rank;                      /* at the end of the last step; -1: nothing of it could start */
        unsigned breaks;               /* moments at which a share was no longer promised */
        int start_rank;                /* of the latest start */
        unsigned changes;              /* of that, and of its settings */
        bool particular;               /* since the last of them it needed seats that do not do for everybody */
        bool served;                   /* since then something of it was started */
};

struct own_project {
        struct project *p;
        bool hungry; /* it has tasks waiting all the time, and nobody changes its settings */
        bool visits; /* now and then only */
        bool sips;   /* only ever one task */
        int running;
        double tokens, rate;
        int64_t tokens_read;
        struct own_lane lanes[SIM_CLASSES];
};

/* What the world has seen of a task. Of its stay in the queue only if that is the one of this sequence number. */
struct own_task {
        struct task *t;
        uint64_t sequence;
        int64_t queued_at;
        int64_t ready;          /* since then, how long its project could have started something */
        uint64_t starts_before; /* its level's */
};

/* One lane that is served all the time, and another one that comes and goes. */
struct own_lead {
        unsigned breaks, changes;
        double least; /* by how much the other one was ahead, for their weights */
};

/* Two lanes, since the last moment at which one of them had a break. */
struct own_pair {
        unsigned breaks[2];
        uint64_t starts[2];
        bool claims[2];     /* it was served before the other one came, and that one owes it nothing */
        double ahead;       /* by how much the first was ahead of the other, for their weights */
        bool measured;
        double used[2];     /* for its weight, when the window began */
        double least, most; /* by how much the first was ahead since measuring began */
        struct own_lead lead[2];
};

/* How much there was to assert, over all worlds. */
struct seen {
        uint64_t risen;        /* starts before a task of higher priority, which ageing alone allows */
        uint64_t long_windows; /* in which shares had to be within 5 % */
        double share;          /* by how much one was off at the most */
        double drift;          /* the most of what was allowed */
};

struct world {
        struct stage st;
        uint64_t random;
        int crowd; /* percent of the steps that bring a task */
        uint32_t max_seats;
        int hunger; /* the priority of what hungry projects want */
        struct own_project projects[PROJECTS];
        struct own_task live[LIVE_MAX];
        int n_live;
        uint64_t steps, accepted, ended;
        struct own_pair pairs[SIM_CLASSES][PROJECTS][PROJECTS];
        struct seen seen;
};

struct own_project *own(struct world *w, const struct project *p);
/* As far as its limits go, and if anybody serves the class. */
bool world_may_start(struct world *w, const struct project *p, enum task_class class);
/* Whether a seat would do for a task. */
bool world_suits(const struct world *w, const struct seat *seat, const struct task *t);

/* ---- sim_state.c ---- */

/* The task is about to be started on this seat. */
void state_check_start(struct world *w, const struct task *t, const struct seat *seat);
/* After every step. */
void state_check(struct world *w);

/* ---- sim_order.c ---- */

/* The task is about to be started on this seat. */
void order_check(struct world *w, const struct task *t, const struct seat *seat);
/* So much time is about to pass. */
void order_pass(struct world *w, int64_t ns);
/* After every step. */
void order_note(struct world *w);

/* ---- sim_shares.c ---- */

/* The task is about to be started on this seat; its attempt is over and has used so much worker time. */
void shares_note_start(struct world *w, const struct task *t, const struct seat *seat);
void shares_note_use(struct world *w, const struct task *t, double used);
/* The project's settings have changed. */
void shares_break(struct world *w, struct own_project *o);
/* After every step. */
void shares_check(struct world *w);
