/*
 * The event loop and its one rule of order. Callbacks of libev only read, decode, call one named function and return.
 * Before the loop sleeps, in this order: the tick (decisions are taken on everything that came in), the flush (every
 * peer that was written to sends what it has, in one write), the burial (what was closed is freed, outside of any
 * callback of its own).
 */
#pragma once

#include "base/list.h"

#include <ev.h>
#include <stdint.h>

struct loop {
        struct ev_loop *ev;
        struct ev_prepare before_sleep;
        struct list dirty;  /* struct flushable: have something to send */
        struct list graves; /* struct grave: wait to be freed */
        struct ev_idle awake; /* active: the next sleep is none */
        void (*tick)(struct loop *);
};

struct flushable {
        struct list node;
        void (*flush)(struct flushable *);
};

struct grave {
        struct list node;
        void (*bury)(struct grave *);
};

/* -ENOMEM or -ENOSYS when libev finds no backend. */
int loop_init(struct loop *l, void (*tick)(struct loop *));
void loop_fini(struct loop *l);

void loop_mark_dirty(struct loop *l, struct flushable *f);
/* The loop comes round once more instead of sleeping: for what happens behind the tick and no event will announce. */
void loop_come_round(struct loop *l);
/* At most once for each grave. */
void loop_bury(struct loop *l, struct grave *g);

/* An alarm wakes the loop at this time (ns, INT64_MAX: never); the tick that follows does the rest. */
void loop_alarm_init(struct ev_timer *alarm);
void loop_alarm_set(struct loop *l, struct ev_timer *alarm, int64_t now, int64_t at);

/* Milliseconds to libev's seconds. */
static inline double loop_seconds(int64_t ms)
{
        return (double)ms / 1000.0;
}
