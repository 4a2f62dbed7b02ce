/* Seats: one door for their changes of state, which keeps the counts and the lists of idle ones. */
#include "master/scheduler_private.h"

#include <assert.h>

static void count(struct scheduler *s, const struct seat *seat, int by)
{
        struct class_pool *pool = &s->pools[seat->class];

        if (seat->retiring || seat->state == SEAT_GONE)
                return;
        s->seats += by;
        if (seat->state == SEAT_STARTING) {
                s->starting += by;
                pool->starting += by;
        } else if (seat->state == SEAT_BUSY) {
                s->busy += by;
                pool->busy += by;
        }
}

static struct list *idle_list(struct scheduler *s, const struct seat *seat)
{
        struct class_pool *pool = &s->pools[seat->class];

        if (seat->use == SEAT_FRESH)
                return &pool->fresh;
        if (seat->use == SEAT_SHARED)
                return &pool->shared;
        return &seat->project->lanes[seat->class]->idle;
}

static bool idles(const struct seat *seat)
{
        return seat->state == SEAT_IDLE && !seat->retiring;
}

/* The latest idle one serves first, so that the others come to their idle timeout. */
static void enlist(struct scheduler *s, struct seat *seat, int64_t now)
{
        seat->idle_since = now;
        list_push_back(&s->idle, &seat->idle);
        list_push_front(idle_list(s, seat), &seat->place);
        s->n_idle++;
}

static void delist(struct scheduler *s, struct seat *seat)
{
        list_unlink(&seat->idle);
        list_unlink(&seat->place);
        s->n_idle--;
}

/* A lane's order depends on whether a seat of its own idles. */
static void tell_lane(struct scheduler *s, const struct seat *seat, int64_t now)
{
        if (seat->use == SEAT_BOUND)
                order_place(s, seat->project->lanes[seat->class], now);
}

void seat_move(struct scheduler *s, struct seat *seat, enum seat_state state, bool retiring, int64_t now)
{
        count(s, seat, -1);
        if (idles(seat)) {
                delist(s, seat);
                tell_lane(s, seat, now);
        }
        seat->state = (uint8_t)state;
        seat->retiring = retiring;
        count(s, seat, 1);
        if (idles(seat)) {
                enlist(s, seat, now);
                tell_lane(s, seat, now);
        }
}

void seat_bind(struct scheduler *s, struct seat *seat, struct project *p, enum isolation isolation)
{
        if (seat->use != SEAT_FRESH)
                return;
        if (isolation == ISOLATION_HEAP) {
                seat->use = SEAT_SHARED;
                return;
        }
        seat->use = isolation == ISOLATION_PROCESS ? SEAT_SINGLE : SEAT_BOUND;
        seat->project = p;
        project_ref(s, p);
}

void scheduler_seat_added(struct scheduler *s, struct seat *seat, enum task_class class)
{
        *seat = (struct seat){.state = SEAT_STARTING, .use = SEAT_FRESH, .class = (uint8_t)class};
        list_init(&seat->idle);
        list_init(&seat->place);
        count(s, seat, 1);
}

void scheduler_seat_ready(struct scheduler *s, struct seat *seat, int64_t now)
{
        assert(seat->state == SEAT_STARTING);
        seat_move(s, seat, SEAT_IDLE, seat->retiring, now);
}

void scheduler_seat_retire(struct scheduler *s, struct seat *seat, int64_t now)
{
        seat_move(s, seat, seat->state, true, now);
}

void scheduler_seat_gone(struct scheduler *s, struct seat *seat, int64_t now)
{
        assert(!seat->task);
        seat_move(s, seat, SEAT_GONE, seat->retiring, now);
        if (seat->project)
                project_unref(s, seat->project);
        seat->project = NULL;
}

void scheduler_hold_class(struct scheduler *s, enum task_class class, bool held)
{
        s->pools[class].held = held;
}

struct seat *scheduler_oldest_idle(struct scheduler *s)
{
        return list_first_entry(&s->idle, struct seat, idle);
}
