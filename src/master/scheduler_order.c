/*
 * The order among projects: deficit round robin, weighted, with rounds of no length. A lane's `turn` is the worker time
 * that it has used, divided by its weight; the lane with the lowest turn is the one with the largest deficit, and goes
 * first. A lane that comes back after a pause starts at the pool's clock: it brings its debt along and no savings. What a
 * task will use is not known when it starts, so its lane's recent mean is charged and corrected at the end.
 *
 * Each rank has a clock of its own. Else a lane that waits below a busy rank would save up a claim to everything.
 */
#include "master/scheduler_private.h"

#include <assert.h>
#include <math.h>

/* Less than any task can cost; keeps turns moving when nothing was measured. */
static const double LEAST_COST = 1000;
static const double ESTIMATE_WEIGHT = 1.0 / 8;

bool lane_before(const struct lane *a, const struct lane *b)
{
        if (a->rank != b->rank)
                return a->rank > b->rank;
        if (a->turn != b->turn)
                return a->turn < b->turn;
        return a->ticket < b->ticket;
}

#define LANE_OF(node, member) container_of(node, const struct lane, member)

static bool before_in_all(const struct heap_node *a, const struct heap_node *b)
{
        return lane_before(LANE_OF(a, order[ORDER_ALL]), LANE_OF(b, order[ORDER_ALL]));
}

static bool before_in_bound(const struct heap_node *a, const struct heap_node *b)
{
        return lane_before(LANE_OF(a, order[ORDER_BOUND]), LANE_OF(b, order[ORDER_BOUND]));
}

static bool before_in_shared(const struct heap_node *a, const struct heap_node *b)
{
        return lane_before(LANE_OF(a, order[ORDER_SHARED]), LANE_OF(b, order[ORDER_SHARED]));
}

static bool rises_before(const struct heap_node *a, const struct heap_node *b)
{
        return LANE_OF(a, aging)->next_rise < LANE_OF(b, aging)->next_rise;
}

/* A project waits in rate_wait only while it has no token, and tokens_at moves only when one is taken. */
static int64_t token_time(const struct heap_node *node)
{
        return project_next_token(container_of(node, const struct project, rate_wait), 0);
}

static bool token_before(const struct heap_node *a, const struct heap_node *b)
{
        return token_time(a) < token_time(b);
}

void order_init(struct scheduler *s)
{
        for (int c = 0; c < CLASSES; c++) {
                struct class_pool *pool = &s->pools[c];

                heap_init(&pool->order[ORDER_ALL], before_in_all);
                heap_init(&pool->order[ORDER_BOUND], before_in_bound);
                heap_init(&pool->order[ORDER_SHARED], before_in_shared);
                pool->capacity = 1;
                list_init(&pool->fresh);
                list_init(&pool->shared);
        }
        heap_init(&s->aging, rises_before);
        heap_init(&s->rate_wait, token_before);
}

void order_fini(struct scheduler *s)
{
        for (int c = 0; c < CLASSES; c++)
                for (int o = 0; o < ORDERS; o++)
                        heap_fini(&s->pools[c].order[o]);
        heap_fini(&s->aging);
        heap_fini(&s->rate_wait);
}

static int reserve(struct scheduler *s, struct class_pool *pool)
{
        int r = heap_reserve(&s->aging, s->n_lanes + 1);

        for (int o = 0; o < ORDERS && !r; o++)
                r = heap_reserve(&pool->order[o], pool->n_lanes + 1);
        return r;
}

struct lane *order_lane(struct scheduler *s, struct project *p, enum task_class class)
{
        struct class_pool *pool = &s->pools[class];
        struct lane *l = p->lanes[class];

        if (l)
                return l;
        if (reserve(s, pool))
                return NULL;
        l = project_lane(p, class);
        if (!l)
                return NULL;
        p->classes |= UINT64_C(1) << class;
        l->ticket = s->tickets++;
        pool->n_lanes++;
        s->n_lanes++;
        return l;
}

void order_forget(struct scheduler *s, struct project *p)
{
        for (int c = 0; c < CLASSES; c++)
                if (p->lanes[c]) {
                        assert(!p->lanes[c]->queued && list_empty(&p->lanes[c]->open));
                        s->pools[c].n_lanes--;
                        s->n_lanes--;
                }
}

struct lane *order_first(const struct class_pool *pool, enum lane_order order)
{
        struct heap_node *node = heap_top(&pool->order[order]);

        return node ? container_of(node, struct lane, order[order]) : NULL;
}

static bool goes_before(const struct lane *a, const struct lane *b)
{
        return a->rank != b->rank ? a->rank > b->rank : a->head->sequence < b->head->sequence;
}

int order_firsts(const struct scheduler *s, struct lane *firsts[static CLASSES])
{
        int n = 0;

        for (uint64_t set = s->classes; set; set &= set - 1) {
                struct lane *l = order_first(&s->pools[__builtin_ctzll(set)], ORDER_ALL);
                int at = n;

                for (; at && goes_before(l, firsts[at - 1]); at--)
                        firsts[at] = firsts[at - 1];
                firsts[at] = l;
                n++;
        }
        return n;
}

static void stand(struct heap *h, struct heap_node *node, bool in)
{
        if (!in)
                heap_remove(h, node);
        else if (heap_has(node))
                heap_update(h, node);
        else
                heap_insert(h, node);
}

/* Reads the turn on the clock of the lane's rank: debts are carried over, savings are not. */
static void set_clock(struct class_pool *pool, struct lane *l)
{
        double debt = fmax(0, l->turn - pool->clock[l->clock]);

        l->clock = l->rank;
        l->turn = pool->clock[l->rank] + debt;
}

static uint64_t lane_room(const struct scheduler *s, const struct lane *l, int64_t now)
{
        uint64_t room, tokens;

        if (!l->queued || s->mode == SCHEDULER_STOPPING || s->pools[l->class].withdrawn)
                return 0;
        room = project_room(l->project);
        if (room > l->queued)
                room = l->queued;
        tokens = room ? project_tokens(l->project, now) : 0;
        return room < tokens ? room : tokens;
}

uint64_t order_wanted(const struct class_pool *pool)
{
        uint64_t most = UINT64_MAX;

        if (pool->max_seats)
                most = pool->starting + (pool->seats < pool->max_seats ? pool->max_seats - pool->seats : 0);
        return pool->lacking < most ? pool->lacking : most;
}

/* Tasks that want a process each fill a seat each. */
static uint64_t seats_for(const struct class_pool *pool, uint64_t runnable, enum isolation isolation)
{
        if (pool->capacity == 1 || isolation == ISOLATION_PROCESS)
                return runnable;
        return (runnable + pool->capacity - 1) / pool->capacity;
}

static void count_runnable(struct scheduler *s, struct lane *l, uint64_t runnable, enum isolation isolation)
{
        struct class_pool *pool = &s->pools[l->class];

        pool->runnable += runnable - l->runnable;
        pool->lacking -= l->lacking;
        l->runnable = runnable;
        l->lacking = seats_for(pool, runnable, isolation);
        pool->lacking += l->lacking;
        if (pool->runnable)
                s->classes |= UINT64_C(1) << l->class;
        else
                s->classes &= ~(UINT64_C(1) << l->class);
}

/* The store can't be written to, and the lane's next task may not start before it was. */
static bool waits_for_store(const struct scheduler *s, struct lane *l, int64_t now)
{
        if (!s->kept_held)
                return false;
        lane_refresh(l, now, s->config.aging_interval);
        return l->head->place != 0;
}

void order_place(struct scheduler *s, struct lane *l, int64_t now)
{
        struct class_pool *pool = &s->pools[l->class];
        uint64_t runnable = lane_room(s, l, now);
        bool ready = runnable > 0 && !waits_for_store(s, l, now), was_ready = l->runnable > 0;
        enum isolation isolation = ISOLATION_PROCESS;

        runnable = ready ? runnable : 0;
        if (ready && !was_ready)
                lane_unblocked(l, now);
        else if (!ready && was_ready)
                l->blocked = now;
        l->head = NULL;
        if (ready) {
                lane_refresh(l, now, s->config.aging_interval);
                isolation = scheduler_isolation(s, l->head);
                if (!was_ready || l->clock != l->rank)
                        set_clock(pool, l);
        }
        count_runnable(s, l, runnable, isolation);
        stand(&pool->order[ORDER_ALL], &l->order[ORDER_ALL], ready);
        stand(&pool->order[ORDER_BOUND], &l->order[ORDER_BOUND],
                ready && isolation != ISOLATION_PROCESS && !list_empty(&l->open));
        stand(&pool->order[ORDER_SHARED], &l->order[ORDER_SHARED], ready && isolation == ISOLATION_HEAP);
        stand(&s->aging, &l->aging, ready && l->next_rise != INT64_MAX);
}

void order_place_all(struct scheduler *s, struct project *p, int64_t now)
{
        bool waits = p->queued && project_room(p) && !project_tokens(p, now);

        stand(&s->rate_wait, &p->rate_wait, waits);
        for (uint64_t set = p->classes; set; set &= set - 1)
                order_place(s, p->lanes[__builtin_ctzll(set)], now);
}

void order_catch_up(struct scheduler *s, int64_t now)
{
        struct heap_node *node;

        while ((node = heap_top(&s->rate_wait)) && token_time(node) <= now)
                order_place_all(s, container_of(node, struct project, rate_wait), now);
        while ((node = heap_top(&s->aging)) && container_of(node, struct lane, aging)->next_rise <= now)
                order_place(s, container_of(node, struct lane, aging), now);
}

static void move_turn(struct class_pool *pool, struct lane *l, double by)
{
        l->turn += by;
        if (pool->latest[l->clock] < l->turn)
                pool->latest[l->clock] = l->turn;
}

/* A rank's clock follows the lane that goes first there. One that passes it, on a seat that the first has no use for, does not
 * push the clock on: whoever comes back then would start behind all who waited. */
static void move_clock(struct class_pool *pool, const struct lane *starting)
{
        const struct lane *first = order_first(pool, ORDER_ALL);

        if (first->rank == starting->rank && pool->clock[first->rank] < first->turn)
                pool->clock[first->rank] = first->turn;
}

double order_charge(struct scheduler *s, struct lane *l)
{
        struct class_pool *pool = &s->pools[l->class];
        double turn = fmax(LEAST_COST, l->estimate) / l->project->settings.weight;

        move_clock(pool, l);
        l->ticket = s->tickets++;
        move_turn(pool, l, turn);
        return turn;
}

void order_settle(struct scheduler *s, struct lane *l, double charged, double used)
{
        struct class_pool *pool = &s->pools[l->class];

        used = fmax(LEAST_COST, used);
        move_turn(pool, l, used / l->project->settings.weight - charged);
        l->estimate += (used - l->estimate) * ESTIMATE_WEIGHT;
        if (pool->runnable || pool->busy)
                return;
        /* Nobody waits and nothing runs: what was used now took nothing from anybody. */
        for (int r = 0; r < TASK_PRIORITIES; r++)
                pool->clock[r] = fmax(pool->clock[r], pool->latest[r]);
}
