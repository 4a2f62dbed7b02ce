/* The scheduler: tasks in and out, and the decision what happens next. Orders, projects and seats have their own files. */
#include "master/scheduler.h"

#include "base/clock.h"
#include "base/error.h"
#include "master/scheduler_private.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

/* A lane whose own seat idles may be this much worker time / weight ahead of the first one before a seat is taken from it:
 * else many projects on few seats would pay a new process for each task. */
static const double SWITCH_QUANTUM = 10e6;
/* Who is refused comes back when this part of the queue has gone. */
enum { RETRY_PART = 16, RETRY_LEAST_MS = 10, RETRY_MOST_MS = 60000, RETRY_UNKNOWN_MS = 1000 };

int64_t task_wakes_at(const struct task *t)
{
        int64_t at = INT64_MAX;

        if (t->held || (t->state != TASK_QUEUED && t->state != TASK_DELAYED))
                return at;
        if (t->state == TASK_DELAYED)
                at = t->not_before;
        if (t->start_deadline && !t->n_attempts && t->start_deadline < at)
                at = t->start_deadline;
        return at;
}

static bool wakes_before(const struct heap_node *x, const struct heap_node *y)
{
        const struct task *a = container_of(x, const struct task, timer),
                          *b = container_of(y, const struct task, timer);
        int64_t at = task_wakes_at(a), bt = task_wakes_at(b);

        return at != bt ? at < bt : a->sequence < b->sequence;
}

void scheduler_init(struct scheduler *s, const struct scheduler_config *config)
{
        *s = (struct scheduler){.config = *config};
        map_init(&s->projects);
        list_init(&s->forgettable);
        list_init(&s->idle);
        list_init(&s->held);
        s->close_at = INT64_MAX;
        list_init(&s->delayed);
        list_init(&s->running);
        list_init(&s->ended);
        heap_init(&s->timers, wakes_before);
        order_init(s);
}

void scheduler_fini(struct scheduler *s)
{
        assert(list_empty(&s->delayed) && list_empty(&s->running) && list_empty(&s->ended) && !s->seats);
        projects_fini(s);
        order_fini(s);
        heap_fini(&s->timers);
}

void scheduler_set_mode(struct scheduler *s, enum scheduler_mode mode, int64_t now)
{
        s->mode = mode;
        for (struct project *p = scheduler_project_next(s, NULL); p; p = scheduler_project_next(s, p))
                order_place_all(s, p, now);
}

static void place_class(struct scheduler *s, enum task_class class, int64_t now)
{
        for (struct project *p = scheduler_project_next(s, NULL); p; p = scheduler_project_next(s, p))
                if (p->lanes[class])
                        order_place(s, p->lanes[class], now);
}

void scheduler_set_class(struct scheduler *s, enum task_class class, uint32_t capacity, uint32_t max_seats, int64_t now)
{
        struct class_pool *pool = &s->pools[class];

        if (pool->capacity == capacity && pool->max_seats == max_seats)
                return;
        pool->capacity = capacity;
        pool->max_seats = max_seats;
        place_class(s, class, now);
}

void scheduler_withdraw_class(struct scheduler *s, enum task_class class, bool withdrawn, int64_t now)
{
        if (s->pools[class].withdrawn == withdrawn)
                return;
        s->pools[class].withdrawn = withdrawn;
        place_class(s, class, now);
}

enum isolation scheduler_isolation(const struct scheduler *s, const struct task *t)
{
        if (t->quarantined)
                return ISOLATION_PROCESS;
        return isolation_max(
                s->config.isolation, isolation_max(t->project->settings.isolation, t->isolation));
}

/* ---- one door for a task's state ---- */

/* How many are in a state; of ended states: how many came there since the start. */
static const struct {
        uint16_t in_all, in_project;
} counters[TASK_STATE_COUNT] = {
#define COUNTER(state, member)                                                                               \
        [TASK_##state] = {offsetof(struct scheduler_counts, member), offsetof(struct project, member)}
        COUNTER(QUEUED, queued),
        COUNTER(DELAYED, delayed),
        COUNTER(RUNNING, running),
        COUNTER(SUCCEEDED, completed),
        COUNTER(FAILED, failed),
        COUNTER(CANCELLED, cancelled),
        COUNTER(DEAD, dead),
};

static void count_state(struct scheduler *s, struct project *p, enum task_state state, int by)
{
        uint64_t *in_all = (uint64_t *)((char *)&s->counts + counters[state].in_all);
        uint64_t *in_project = (uint64_t *)((char *)p + counters[state].in_project);

        *in_all += by;
        *in_project += by;
}

static struct list *list_of_state(struct scheduler *s, struct task *t, enum task_state state)
{
        if (state == TASK_QUEUED)
                return &t->project->lanes[t->class]->levels[t->priority].tasks;
        if (state == TASK_DELAYED)
                return &s->delayed;
        return state == TASK_RUNNING ? &s->running : &s->ended;
}

/* Those of before the restart have sequences below this. */
static const uint64_t SEQUENCE_NEW = UINT64_C(1) << 62;

static struct level *level_of(const struct task *t)
{
        return &t->project->lanes[t->class]->levels[t->priority];
}

/* What comes from the store is older than all that was submitted since the start, and comes in its old order. Once it has
 * run, it stands at the end like any other. */
static void go_before_new_ones(struct task *t)
{
        struct level *v = level_of(t);

        list_unlink(&t->node);
        list_insert_after(v->restored, &t->node);
        v->restored = &t->node;
}

static void shift(struct scheduler *s, struct task *t, enum task_state to, int64_t now)
{
        struct lane *l = t->project->lanes[t->class];
        enum task_state from = t->state;

        heap_remove(&s->timers, &t->timer);
        if (to == TASK_QUEUED || from == TASK_NEW)
                t->sequence = t->restored ? s->restored++ : SEQUENCE_NEW + s->sequence++;
        if (from == TASK_QUEUED && level_of(t)->restored == &t->node)
                level_of(t)->restored = t->node.prev;
        task_move(t, to, list_of_state(s, t, to), now);
        if (to == TASK_QUEUED && t->restored)
                go_before_new_ones(t);
        if (from == TASK_QUEUED || from == TASK_DELAYED || from == TASK_RUNNING)
                count_state(s, t->project, from, -1);
        count_state(s, t->project, to, 1);
        if (from == TASK_NEW || from == TASK_DEAD)
                s->counts.bytes += t->payload.len;
        if (task_ended(t))
                s->counts.bytes -= t->payload.len;
        if (from == TASK_QUEUED)
                lane_left(l, t, to == TASK_RUNNING, now, s->config.aging_interval);
        if (to == TASK_QUEUED)
                lane_entered(l, t);
        if (task_wakes_at(t) != INT64_MAX)
                heap_insert(&s->timers, &t->timer);
        order_place_all(s, t->project, now);
}

/* ---- taking in ---- */

static int64_t clamp_ms(double ms)
{
        return (int64_t)fmax(RETRY_LEAST_MS, fmin(ms, RETRY_MOST_MS));
}

int64_t scheduler_service_ms(const struct scheduler *s, double tasks, int64_t now)
{
        double interval = fmax((double)s->end_interval, (double)(now - s->last_end));

        if (!s->counts.attempts)
                return RETRY_UNKNOWN_MS;
        return clamp_ms(fmax(1, tasks) * interval / (double)NS_PER_MS);
}

/* The same for one project, whose tasks run `at_once` at a time. */
static int64_t project_service_ms(const struct lane *l, double tasks, double at_once)
{
        return clamp_ms(fmax(1, tasks) * l->estimate / fmax(1, at_once) / (double)NS_PER_MS);
}

/* With queue.onLimit "reject" a task is taken in only if its project could start it now, seats aside. */
static int refuse_by_limit(const struct task *t, const struct lane *l, int64_t now, struct wire_refusal *why,
        int64_t *retry_after_ms)
{
        const struct project *p = t->project;

        if (p->settings.paused)
                return wire_refuse(why, WIRE_PROJECT_PAUSED, "project %s is paused", p->name);
        if (project_room(p) <= p->queued) {
                *retry_after_ms = project_service_ms(l, 1, p->settings.limit);
                return wire_refuse(why, WIRE_PROJECT_LIMIT,
                        "project %s runs or has queued its limit of %u tasks", p->name, p->settings.limit);
        }
        if (project_tokens(p, now) <= p->queued) {
                *retry_after_ms = clamp_ms((double)(project_next_token(p, now) - now) / (double)NS_PER_MS);
                return wire_refuse(why, WIRE_PROJECT_LIMIT, "project %s is at its rate limit of %g a second",
                        p->name, p->settings.rate);
        }
        return 0;
}

static int refuse(const struct scheduler *s, const struct task *t, const struct lane *l, int64_t now,
        struct wire_refusal *why, int64_t *retry_after_ms)
{
        const struct project *p = t->project;
        uint64_t most = s->config.max_length, most_bytes = s->config.max_bytes, own_most = p->settings.max_queued;

        *retry_after_ms = -1;
        if (s->mode != SCHEDULER_OPEN)
                return wire_refuse(why, WIRE_SHUTTING_DOWN, "the supervisor takes no new tasks: it drains");
        if (t->priority > p->settings.max_priority)
                return wire_refuse(why, WIRE_INVALID_OPTION,
                        "priority %u is over project %s's maxPriority of %u", t->priority, p->name,
                        p->settings.max_priority);
        if (most && s->counts.queued + s->counts.delayed >= most) {
                *retry_after_ms = scheduler_service_ms(s, (double)most / RETRY_PART, now);
                return wire_refuse(why, WIRE_QUEUE_FULL, "the queue holds its most of %llu tasks",
                        (unsigned long long)most);
        }
        if (most_bytes && s->counts.bytes + t->payload.len > most_bytes) {
                *retry_after_ms = scheduler_service_ms(s, (double)s->counts.queued / RETRY_PART, now);
                return wire_refuse(why, WIRE_QUEUE_FULL, "the tasks that are there have %llu bytes, the most is %llu",
                        (unsigned long long)s->counts.bytes, (unsigned long long)most_bytes);
        }
        if (own_most && p->queued + p->delayed >= own_most) {
                *retry_after_ms = project_service_ms(l, (double)own_most / RETRY_PART, (double)p->running);
                return wire_refuse(why, WIRE_PROJECT_LIMIT, "project %s has its most of %llu tasks waiting",
                        p->name, (unsigned long long)own_most);
        }
        if (s->config.reject_on_limit && t->not_before <= now)
                return refuse_by_limit(t, l, now, why, retry_after_ms);
        return 0;
}

/* Room for everything that the task will ever need here: nothing can fail after it was taken in. */
static int make_room(struct scheduler *s, const struct task *t)
{
        if (!order_lane(s, t->project, t->class))
                return error_origin(-ENOMEM);
        return heap_reserve(&s->timers, s->counts.queued + s->counts.delayed + s->counts.running + 1);
}

static void take_in(struct scheduler *s, struct task *t, int64_t now)
{
        project_ref(s, t->project);
        shift(s, t, t->held || t->not_before > now ? TASK_DELAYED : TASK_QUEUED, now);
}

/* Room, and nothing against it. */
static int admit(
        struct scheduler *s, struct task *t, int64_t now, struct wire_refusal *why, int64_t *retry_after_ms)
{
        int r = make_room(s, t);

        if (r)
                return r;
        r = refuse(s, t, t->project->lanes[t->class], now, why, retry_after_ms);
        if (r) {
                s->counts.refused++;
                t->project->refused++;
        }
        return r;
}

int scheduler_accept(
        struct scheduler *s, struct task *t, int64_t now, struct wire_refusal *why, int64_t *retry_after_ms)
{
        int r = admit(s, t, now, why, retry_after_ms);

        if (!r)
                take_in(s, t, now);
        return r;
}

int scheduler_restore(struct scheduler *s, struct task *t, int64_t now)
{
        int r = make_room(s, t);

        if (!r)
                take_in(s, t, now);
        return r;
}

int scheduler_restore_ended(struct scheduler *s, struct task *t, enum task_state state, int64_t since)
{
        int r = make_room(s, t);

        if (r)
                return r;
        project_ref(s, t->project);
        task_move(t, state, &s->ended, since);
        return 0;
}

void scheduler_hold(struct scheduler *s, struct task *t, int64_t now)
{
        assert(t->state == TASK_QUEUED || t->state == TASK_DELAYED);
        heap_remove(&s->timers, &t->timer);
        t->held = true;
        if (t->state == TASK_QUEUED)
                shift(s, t, TASK_DELAYED, now);
}

void scheduler_unhold(struct scheduler *s, struct task *t, int64_t now)
{
        assert(t->held && t->state == TASK_DELAYED);
        t->held = false;
        if (t->not_before <= now)
                return shift(s, t, TASK_QUEUED, now);
        heap_insert(&s->timers, &t->timer);
}

void scheduler_hold_kept(struct scheduler *s, bool held, int64_t now)
{
        if (s->kept_held == held)
                return;
        s->kept_held = held;
        for (struct project *p = scheduler_project_next(s, NULL); p; p = scheduler_project_next(s, p))
                order_place_all(s, p, now);
}

int scheduler_revive(
        struct scheduler *s, struct task *t, int64_t now, struct wire_refusal *why, int64_t *retry_after_ms)
{
        int r;

        *retry_after_ms = -1;
        if (t->state != TASK_DEAD)
                return wire_refuse(why, WIRE_INVALID_OPTION, "the task is %s: only a dead one can be retried",
                        task_state_name(t->state));
        assert(t->payload.len);
        r = admit(s, t, now, why, retry_after_ms);
        if (r)
                return r;
        task_forget_attempts(t);
        t->not_before = t->start_deadline = t->waited = 0;
        shift(s, t, TASK_QUEUED, now);
        return 0;
}

/* ---- the decision ---- */

/* Tasks whose delay is over are queued. True: one has missed its start. */
static bool next_expired(struct scheduler *s, int64_t now, struct task **expired)
{
        struct heap_node *node;

        while ((node = heap_top(&s->timers))) {
                struct task *t = container_of(node, struct task, timer);

                if (task_wakes_at(t) > now)
                        return false;
                if (t->start_deadline && !t->n_attempts && t->start_deadline <= now) {
                        *expired = t;
                        return true;
                }
                shift(s, t, TASK_QUEUED, now);
        }
        return false;
}

static struct seat *first_seat(struct list *l)
{
        return list_first_entry(l, struct seat, place);
}

/* A seat with room that the lane's head may use. */
static struct seat *seat_for(struct scheduler *s, struct lane *l)
{
        struct class_pool *pool = &s->pools[l->class];
        enum isolation isolation = scheduler_isolation(s, l->head);

        if (isolation != ISOLATION_PROCESS && !list_empty(&l->open))
                return first_seat(&l->open);
        if (isolation == ISOLATION_HEAP && !list_empty(&pool->shared))
                return first_seat(&pool->shared);
        return first_seat(&pool->fresh);
}

/* The first lane that a seat with room is there for. */
static struct lane *first_served(struct class_pool *pool)
{
        struct lane *bound = order_first(pool, ORDER_BOUND), *shared = NULL;

        if (!list_empty(&pool->shared))
                shared = order_first(pool, ORDER_SHARED);
        if (!bound || !shared)
                return bound ? bound : shared;
        return lane_before(bound, shared) ? bound : shared;
}

static bool run(struct scheduler *s, struct lane *l, struct decision *d)
{
        *d = (struct decision){.kind = DECIDE_RUN, .task = l->head, .seat = seat_for(s, l)};
        return true;
}

static bool class_is_full(const struct class_pool *pool)
{
        return pool->max_seats && pool->seats >= pool->max_seats;
}

static bool room_for_a_seat(const struct scheduler *s, const struct class_pool *pool)
{
        return s->seats < s->config.max_seats && !class_is_full(pool);
}

/* The first lane finds no seat. Others go before it only if that takes nothing from it: a seat is being started for it, or
 * none can be, or there is room for one, or another idle one is left to make room; or to use up a quantum on a seat of
 * their own. */
static bool may_pass(const struct scheduler *s, const struct class_pool *pool, const struct lane *first,
        const struct lane *other)
{
        if (pool->starting || pool->held || room_for_a_seat(s, pool) || s->n_idle > 1)
                return true;
        return other->rank == first->rank && other->turn <= first->turn + SWITCH_QUANTUM;
}

static bool decide_pool(struct scheduler *s, struct lane *first, int64_t now, struct decision *d)
{
        struct class_pool *pool = &s->pools[first->class];
        struct lane *other;
        bool full;

        if (seat_for(s, first))
                return run(s, first, d);
        other = first_served(pool);
        if (other && may_pass(s, pool, first, other))
                return run(s, other, d);
        if (room_for_a_seat(s, pool) || pool->lacking <= pool->starting || pool->held)
                return false;
        /* A class that has all its seats gives up one of its own; it would not get that of another. */
        full = class_is_full(pool);
        *d = (struct decision){.kind = DECIDE_REPLACE,
                .seat = full ? seat_oldest_idle_of(s, first->class) : scheduler_oldest_idle(s)};
        if (!d->seat)
                d->seat = seat_to_close(s, first, full, now);
        return d->seat;
}

bool scheduler_decide(struct scheduler *s, int64_t now, struct decision *d)
{
        struct lane *firsts[CLASSES];
        struct task *expired;
        int n;

        if (next_expired(s, now, &expired)) {
                *d = (struct decision){.kind = DECIDE_EXPIRE, .task = expired};
                return true;
        }
        order_catch_up(s, now);
        s->close_at = INT64_MAX;
        if (!s->n_idle && list_empty(&s->held))
                return false;
        n = order_firsts(s, firsts);
        for (int i = 0; i < n; i++)
                if (decide_pool(s, firsts[i], now, d))
                        return true;
        return false;
}

/* ---- attempts ---- */

void scheduler_started(struct scheduler *s, struct task *t, struct seat *seat, struct run *run, int64_t now)
{
        struct project *p = t->project;
        struct lane *l = p->lanes[t->class];

        assert((seat->state == SEAT_IDLE || seat->state == SEAT_OPEN) && !seat->retiring && l->head == t);
        project_take_token(p, now);
        *run = (struct run){.task = t, .charged = order_charge(s, l)};
        list_init(&run->node);
        shift(s, t, TASK_RUNNING, now);
        seat_take(s, seat, run, scheduler_isolation(s, t), now);
}

static void measure(struct scheduler *s, struct project *p, const struct attempt_use *use, int64_t now)
{
        if (s->counts.attempts++)
                s->end_interval += (now - s->last_end - s->end_interval) / 16;
        s->last_end = now;
        s->counts.run_ns += use->run_ns;
        s->counts.cpu_ns += use->cpu_ns;
        p->run_ns += use->run_ns;
        p->cpu_ns += use->cpu_ns;
}

/* A seat that many share is charged by its share: the time of each would be that of all. */
static double used_ns(const struct seat *seat, const struct attempt_use *use)
{
        double run_ns = (double)use->run_ns / seat->capacity;

        return fmax(run_ns, (double)use->cpu_ns);
}

void scheduler_ended(struct scheduler *s, struct run *run, const struct attempt_use *use, int64_t now)
{
        struct project *p = run->task->project;
        struct lane *l = p->lanes[run->seat->class];

        assert(run->seat->state == SEAT_BUSY || run->seat->state == SEAT_OPEN);
        seat_give(s, run, use->seat_spent, now);
        measure(s, p, use, now);
        order_settle(s, l, run->charged, used_ns(run->seat, use));
        order_place(s, l, now);
}

void scheduler_unstarted(struct scheduler *s, struct run *run, int64_t now)
{
        struct task *t = run->task;
        struct lane *l = t->project->lanes[t->class];
        struct level *v = level_of(t);
        uint64_t sequence = t->sequence;

        seat_give(s, run, false, now);
        order_settle(s, l, run->charged, 0);
        shift(s, t, TASK_QUEUED, now);
        t->sequence = sequence;
        if (v->restored == &t->node)
                v->restored = t->node.prev;
        list_unlink(&t->node);
        list_push_front(&v->tasks, &t->node);
        if (v->restored == &v->tasks && t->restored)
                v->restored = &t->node;
        order_place_all(s, t->project, now);
}

void scheduler_finish(struct scheduler *s, struct task *t, enum task_state state, int64_t now)
{
        t->held = false;
        shift(s, t, state, now);
        assert(task_ended(t));
}

void scheduler_retry(struct scheduler *s, struct task *t, int64_t at, int64_t now)
{
        t->not_before = at;
        t->restored = false;
        s->counts.retried++;
        t->project->retried++;
        shift(s, t, at > now ? TASK_DELAYED : TASK_QUEUED, now);
}

enum cancel_result scheduler_cancel(struct scheduler *s, struct task *t, int64_t now)
{
        if (task_ended(t))
                return CANCEL_ENDED;
        if (t->state == TASK_RUNNING) {
                t->cancel_asked = true;
                return CANCEL_RUNNING;
        }
        shift(s, t, TASK_CANCELLED, now);
        return CANCEL_DONE;
}

void scheduler_release(struct scheduler *s, struct task *t)
{
        assert(task_ended(t));
        list_unlink(&t->node);
        project_unref(s, t->project);
        t->project = NULL;
}
