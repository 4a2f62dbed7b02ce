/* Looking into the scheduler without touching it: counts for the autoscaler, wake-up times, and why a task waits. */
#include "master/scheduler_private.h"

#include <math.h>

/* When less than this of a task is started within the horizon, that is short beside a run, and none is looked for. */
static const double LEAST_SOON = 1.0 / 8;

int64_t scheduler_next_wake(const struct scheduler *s)
{
        struct heap_node *timer = heap_top(&s->timers), *token = heap_top(&s->rate_wait);
        int64_t at = INT64_MAX, token_at;

        if (timer)
                at = task_wakes_at(container_of(timer, struct task, timer));
        if (s->close_at < at)
                at = s->close_at;
        if (!token)
                return at;
        token_at = project_next_token(container_of(token, struct project, rate_wait), 0);
        return token_at < at ? token_at : at;
}

struct scheduler_load scheduler_load(const struct scheduler *s)
{
        struct scheduler_load load = {
                .seats = s->seats, .starting = s->starting, .busy = s->busy, .idle = s->n_idle, .open = s->n_open};

        for (uint64_t set = s->classes; set; set &= set - 1) {
                const struct class_pool *pool = &s->pools[__builtin_ctzll(set)];
                uint64_t wanted = order_wanted(pool);

                load.runnable += wanted;
                load.held += pool->held ? wanted : 0;
                if (!pool->held)
                        load.coming += wanted < pool->starting ? (uint32_t)wanted : pool->starting;
        }
        load.load = (double)(load.busy + load.runnable) / (load.seats ? load.seats : 1);
        return load;
}

/* Of the head's own level only: what is behind it comes as soon. */
static size_t ahead_in_lane(const struct lane *l, struct task **out, size_t n)
{
        const struct list *end = &l->levels[l->head->priority].tasks;
        size_t got = 0;

        if (n > l->runnable)
                n = (size_t)l->runnable;
        for (struct list *node = &l->head->node; node != end && got < n; node = node->next)
                out[got++] = list_entry(node, struct task, node);
        return got;
}

/* How many the class starts within the horizon, when they are like its first lane's. */
static size_t soon_of_class(const struct class_pool *pool, int64_t horizon, size_t n)
{
        const struct lane *first = order_first(pool, ORDER_ALL);
        double soon = (double)pool->seats * (double)horizon / first->estimate;

        if (soon < LEAST_SOON)
                return 0;
        return soon < (double)n ? (size_t)ceil(soon) : n;
}

/* A heap's first nodes are near enough to the order. */
static size_t ahead_in_class(const struct class_pool *pool, int64_t horizon, struct task **out, size_t n)
{
        const struct heap *lanes = &pool->order[ORDER_ALL];
        size_t soon = soon_of_class(pool, horizon, n), share = (soon + lanes->n - 1) / lanes->n, got = 0;

        for (size_t i = 1; i <= lanes->n && got < soon; i++) {
                const struct lane *l = container_of(lanes->nodes[i], const struct lane, order[ORDER_ALL]);

                got += ahead_in_lane(l, out + got, share < soon - got ? share : soon - got);
        }
        return got;
}

size_t scheduler_ahead(const struct scheduler *s, int64_t horizon, struct task **out, size_t n)
{
        size_t got = 0;

        for (uint64_t set = s->classes; set && got < n; set &= set - 1)
                got += ahead_in_class(&s->pools[__builtin_ctzll(set)], horizon, out + got, n - got);
        return got;
}

bool scheduler_could_start(const struct scheduler *s, const struct project *p, enum task_class class, int64_t now)
{
        const struct class_pool *pool = &s->pools[class];

        return s->mode != SCHEDULER_STOPPING && !s->kept_held && !pool->withdrawn && pool->busy + pool->starting < pool->seats &&
                project_room(p) && project_tokens(p, now);
}

static bool project_can_run_more(const struct scheduler *s, const struct project *p)
{
        if (!p->queued || p->settings.paused)
                return false;
        for (uint64_t set = p->classes; set; set &= set - 1) {
                int class = __builtin_ctzll(set);

                if (p->lanes[class]->queued && !s->pools[class].withdrawn)
                        return true;
        }
        return false;
}

bool scheduler_can_run_more(const struct scheduler *s)
{
        if (!s->counts.queued)
                return false;
        for (const struct project *p = NULL; (p = scheduler_project_next(s, p));)
                if (project_can_run_more(s, p))
                        return true;
        return false;
}

bool scheduler_wanted_class(const struct scheduler *s, enum task_class *class)
{
        struct lane *firsts[CLASSES];
        int n = order_firsts(s, firsts);

        for (int i = 0; i < n; i++) {
                const struct class_pool *pool = &s->pools[firsts[i]->class];

                if (!pool->held && order_wanted(pool) > pool->starting) {
                        *class = firsts[i]->class;
                        return true;
                }
        }
        return false;
}

static uint64_t position_of(const struct task *t)
{
        const struct list *tasks = &t->project->lanes[t->class]->levels[t->priority].tasks;
        uint64_t n = 0;

        for (const struct list *it = t->node.prev; it != tasks && n < WAIT_POSITION_MAX; it = it->prev)
                n++;
        return n;
}

static enum wait_reason reason_of(const struct scheduler *s, const struct task *t, int64_t now)
{
        const struct project *p = t->project;

        if (s->mode == SCHEDULER_STOPPING)
                return WAIT_STOPPING;
        if (s->pools[t->class].withdrawn)
                return WAIT_SEAT;
        if (p->settings.paused)
                return WAIT_PAUSED;
        if (!project_room(p))
                return WAIT_LIMIT;
        if (!project_tokens(p, now))
                return WAIT_RATE;
        return p->lanes[t->class]->head == t ? WAIT_SEAT : WAIT_TURN;
}

struct wait_verdict scheduler_explain(const struct scheduler *s, const struct task *t, int64_t now)
{
        struct wait_verdict v = {.reason = WAIT_NOT};

        if (t->state == TASK_DELAYED) {
                v.reason = WAIT_DELAY;
                v.until = t->not_before;
        } else if (t->state == TASK_QUEUED) {
                v.reason = reason_of(s, t, now);
                v.position = position_of(t);
                if (v.reason == WAIT_RATE)
                        v.until = project_next_token(t->project, now);
        }
        return v;
}
