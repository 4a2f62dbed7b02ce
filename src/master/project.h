/*
 * A project: whose task it is. It has limits, a weight, and for each class of worker one lane of waiting tasks.
 *
 * A lane is a queue of 11 levels (a bitmap says which hold something). A level is FIFO; it rises by one step each
 * aging interval that its first task waits, and falls by one step each time a task of it runs: so a level that is served
 * never rises, and one that is not is bound to reach the top. Time that the project's own limits cost does not count. A task
 * of priority p that has waited for w, while n of its level were started, has a rank of at least min(10, p + w/interval - n).
 *
 * Everything here is the scheduler's to change; the shell reads names, settings and counters.
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "master/heap.h"
#include "master/task.h"

enum { PROJECT_NAME_MAX = 128, PROJECT_WEIGHT_MAX = 1000 };

struct project_settings {
        uint32_t limit;        /* most tasks running at once; 0: unlimited */
        uint32_t max_queued;   /* most tasks queued or delayed; 0: unlimited */
        uint32_t weight;       /* share of worker time beside others, 1 to PROJECT_WEIGHT_MAX */
        uint8_t max_priority;  /* highest that its tasks may ask for */
        uint8_t isolation;     /* enum isolation: the least that its tasks get */
        bool paused;           /* nothing of it starts */
        double rate;           /* starts per second, a tenth of a second's worth (or one) at once; 0: unlimited */
};

bool project_settings_equal(const struct project_settings *a, const struct project_settings *b);

/* Which orders of its pool a lane stands in: see scheduler.h. */
enum lane_order { ORDER_ALL, ORDER_BOUND, ORDER_SHARED, ORDERS };

/* One priority of a lane. */
struct level {
        struct list tasks;
        struct list *restored; /* the last of those from the store, or the list itself: the next one goes behind it */
        int64_t risen; /* waits since then, as far as rising is concerned */
};

struct lane {
        struct project *project;
        struct heap_node order[ORDERS];
        struct heap_node aging;
        struct list open;       /* seats bound to the project that have room, latest first */
        struct level levels[TASK_PRIORITIES];
        uint32_t occupied;      /* bit p: levels[p] holds a task */
        uint8_t class;
        uint8_t rank;           /* effective priority of head */
        uint8_t clock;          /* the rank whose clock `turn` was last set by */
        uint64_t queued;
        uint64_t runnable;      /* of these, how many only lack a room on a seat */
        uint64_t lacking;       /* seats that these would fill */
        struct task *head;      /* the next one to run; NULL: it may start nothing */
        int64_t next_rise;      /* when rank or head change by time alone; INT64_MAX: never */
        int64_t blocked;        /* not ready (limit, rate, pause, nothing queued) since then; 0: ready */
        uint64_t ticket;        /* order among lanes whose turn is equal */
        double turn;            /* used worker time / weight, in ns */
        double estimate;        /* what one of its tasks has used lately, in ns */
};

struct project {
        struct map_node by_name;
        struct list node;              /* of those that nobody would miss */
        struct lane *lanes[CLASSES];   /* made when first used */
        uint64_t classes;              /* bit: there is a lane of this class */
        struct project_settings settings;
        bool configured;               /* by configuration or by hand: never forgotten */
        int64_t tokens_at;             /* token bucket: when it would be full again */
        struct heap_node rate_wait;    /* waits for a token */

        uint64_t refs;                 /* tasks that point here, ended ones included */
        uint64_t queued, delayed, running;
        uint64_t completed, failed, cancelled, dead, retried, refused;
        int64_t run_ns, cpu_ns;        /* used by ended attempts */

        size_t name_len;
        char name[];                   /* NUL-terminated */
};

struct project *project_new(struct bytes name, const struct project_settings *settings);
void project_free(struct project *p);

/* New settings; a token that was far off under the old rate comes no later than under the new one. */
void project_apply(struct project *p, const struct project_settings *settings, int64_t now);

/* Letters, digits and . _ - : / only, 1 to PROJECT_NAME_MAX. */
bool project_name_valid(struct bytes name);
/* Tasks that may start now as far as limit and pause go; UINT64_MAX: no limit. Tokens are asked for apart. */
uint64_t project_room(const struct project *p);

/* Tokens that are there; UINT64_MAX without a rate. Taking one is allowed only if there is one. */
uint64_t project_tokens(const struct project *p, int64_t now);
void project_take_token(struct project *p, int64_t now);
/* When the next token is there: now or later. */
int64_t project_next_token(const struct project *p, int64_t now);

/* The lane for this class, made at the first call. NULL: no memory. */
struct lane *project_lane(struct project *p, enum task_class class);
/* After a task was moved to the list of its level, or out of it. Head, rank and next_rise are stale until lane_refresh.
 * served: it was started, not cancelled or expired. */
void lane_entered(struct lane *l, struct task *t);
void lane_left(struct lane *l, const struct task *t, bool served, int64_t now, int64_t aging);
/* The lane could start nothing from l->blocked until now: its levels do not rise for that. */
void lane_unblocked(struct lane *l, int64_t now);
/* Finds the head and its rank at this time. aging 0: nothing rises. */
void lane_refresh(struct lane *l, int64_t now, int64_t aging);
