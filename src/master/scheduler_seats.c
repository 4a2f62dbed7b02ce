/* Seats: one door for their changes of state, which keeps the counts and the lists of those that have room. */
#include "base/clock.h"
#include "master/scheduler_private.h"

#include <assert.h>

static void count(struct scheduler *s, const struct seat *seat, int by)
{
        struct class_pool *pool = &s->pools[seat->class];

        if (seat->retiring || seat->state == SEAT_GONE)
                return;
        s->seats += by;
        pool->seats += by;
        if (seat->state == SEAT_STARTING) {
                s->starting += by;
                pool->starting += by;
        } else if (seat->state != SEAT_IDLE) {
                s->busy += seat->state == SEAT_BUSY ? by : 0;
                pool->busy += by;
        }
}

static struct list *list_of_open(struct scheduler *s, const struct seat *seat)
{
        struct class_pool *pool = &s->pools[seat->class];

        if (seat->use == SEAT_FRESH)
                return &pool->fresh;
        if (seat->use == SEAT_SHARED)
                return &pool->shared;
        return &seat->project->lanes[seat->class]->open;
}

static bool has_room(const struct seat *seat)
{
        return (seat->state == SEAT_IDLE || seat->state == SEAT_OPEN) && !seat->retiring;
}

/* The latest one serves first, so that the others come to their idle timeout. */
static void enlist(struct scheduler *s, struct seat *seat, int64_t now)
{
        list_push_front(list_of_open(s, seat), &seat->place);
        if (seat->state == SEAT_OPEN) {
                s->n_open++;
                return;
        }
        seat->idle_since = now;
        list_push_back(&s->idle, &seat->idle);
        s->n_idle++;
}

static void delist(struct scheduler *s, struct seat *seat)
{
        list_unlink(&seat->place);
        list_unlink(&seat->idle);
        if (seat->state == SEAT_OPEN)
                s->n_open--;
        else
                s->n_idle--;
}

/* A lane's order depends on whether a seat of its own has room. */
static void tell_lane(struct scheduler *s, const struct seat *seat, int64_t now)
{
        if (seat->use == SEAT_BOUND)
                order_place(s, seat->project->lanes[seat->class], now);
}

static bool is_for_many(const struct seat *seat)
{
        return seat->capacity > 1 && seat->n_runs;
}

static void hold(struct scheduler *s, struct seat *seat, int64_t now)
{
        bool held = is_for_many(seat) && !seat->retiring;

        if (held && list_empty(&seat->held)) {
                seat->held_since = now;
                list_push_back(&s->held, &seat->held);
        } else if (!held) {
                list_unlink(&seat->held);
        }
}

static void leave_state(struct scheduler *s, struct seat *seat, int64_t now)
{
        s->n_draining -= seat->retiring && is_for_many(seat);
        count(s, seat, -1);
        if (has_room(seat)) {
                delist(s, seat);
                tell_lane(s, seat, now);
        }
}

static void enter_state(struct scheduler *s, struct seat *seat, enum seat_state state, bool retiring, int64_t now)
{
        seat->state = (uint8_t)state;
        seat->retiring = retiring;
        s->n_draining += retiring && is_for_many(seat);
        hold(s, seat, now);
        count(s, seat, 1);
        if (has_room(seat)) {
                enlist(s, seat, now);
                tell_lane(s, seat, now);
        }
}

static void move(struct scheduler *s, struct seat *seat, enum seat_state state, bool retiring, int64_t now)
{
        leave_state(s, seat, now);
        enter_state(s, seat, state, retiring, now);
}

static enum seat_state state_by_runs(const struct seat *seat)
{
        if (!seat->n_runs)
                return SEAT_IDLE;
        return seat->use != SEAT_SINGLE && seat->n_runs < seat->capacity ? SEAT_OPEN : SEAT_BUSY;
}

/* A fresh seat gets its use by the first task that it serves. */
static void bind(struct scheduler *s, struct seat *seat, struct project *p, enum isolation isolation)
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

void seat_take(struct scheduler *s, struct seat *seat, struct run *run, enum isolation isolation, int64_t now)
{
        leave_state(s, seat, now);
        run->seat = seat;
        list_push_back(&seat->runs, &run->node);
        seat->n_runs++;
        bind(s, seat, run->task->project, isolation);
        enter_state(s, seat, state_by_runs(seat), false, now);
}

void seat_give(struct scheduler *s, struct run *run, bool spent, int64_t now)
{
        struct seat *seat = run->seat;

        leave_state(s, seat, now);
        list_unlink(&run->node);
        run->task = NULL;
        seat->n_runs--;
        seat->tasks_done++;
        enter_state(s, seat, state_by_runs(seat), spent || seat->use == SEAT_SINGLE || seat->retiring, now);
}

void scheduler_seat_added(struct scheduler *s, struct seat *seat, enum task_class class, uint32_t capacity)
{
        *seat = (struct seat){.state = SEAT_STARTING, .use = SEAT_FRESH, .class = (uint8_t)class, .capacity = capacity};
        list_init(&seat->idle);
        list_init(&seat->place);
        list_init(&seat->held);
        list_init(&seat->runs);
        count(s, seat, 1);
}

void scheduler_seat_ready(struct scheduler *s, struct seat *seat, int64_t now)
{
        assert(seat->state == SEAT_STARTING);
        move(s, seat, SEAT_IDLE, seat->retiring, now);
}

void scheduler_seat_retire(struct scheduler *s, struct seat *seat, int64_t now)
{
        move(s, seat, seat->state, true, now);
}

void scheduler_seat_gone(struct scheduler *s, struct seat *seat, int64_t now)
{
        assert(!seat->n_runs);
        move(s, seat, SEAT_GONE, seat->retiring, now);
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

struct seat *seat_oldest_idle_of(const struct scheduler *s, enum task_class class)
{
        list_for_each(node, (struct list *)&s->idle) {
                struct seat *seat = list_entry(node, struct seat, idle);

                if (seat->class == class)
                        return seat;
        }
        return NULL;
}

/* How long a seat may be held on to by one task after the other while others wait. */
static const int64_t HOLD = NS_PER_S;

struct seat *seat_to_close(struct scheduler *s, const struct lane *waiting, bool own_class, int64_t now)
{
        if (s->n_draining)
                return NULL;
        list_for_each(node, &s->held) {
                struct seat *seat = list_entry(node, struct seat, held);

                if ((own_class && seat->class != waiting->class) ||
                        (seat->class == waiting->class && seat->project == waiting->project))
                        continue;
                if (now - seat->held_since >= HOLD)
                        return seat;
                if (seat->held_since + HOLD < s->close_at)
                        s->close_at = seat->held_since + HOLD;
                return NULL;
        }
        return NULL;
}
