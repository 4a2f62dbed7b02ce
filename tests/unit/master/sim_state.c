/*
 * What must hold whatever happens: no limit is exceeded, no task is lost or doubled, every count is right, no seat idles beside
 * a task that it would do for, whoever waits has something to hope for, and what time alone will change is announced.
 */
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct own_project *own(struct world *w, const struct project *p)
{
        for (int i = 0; i < PROJECTS; i++)
                if (w->projects[i].p == p)
                        return &w->projects[i];
        fail();
        return NULL;
}

bool world_may_start(struct world *w, const struct project *p, enum task_class class)
{
        const struct own_project *o = own(w, p);

        if (w->st.s.pools[class].withdrawn || p->settings.paused || (p->settings.limit && o->running >= (int)p->settings.limit))
                return false;
        return project_tokens(p, w->st.now) > 0;
}

bool world_suits(const struct world *w, const struct seat *seat, const struct task *t)
{
        enum isolation isolation = scheduler_isolation(&w->st.s, t);

        if (seat->class != t->class)
                return false;
        if (seat->use == SEAT_FRESH)
                return true;
        if (seat->use == SEAT_BOUND)
                return isolation != ISOLATION_PROCESS && seat->project == t->project;
        return seat->use == SEAT_SHARED && isolation == ISOLATION_HEAP;
}

static void check_limits(struct world *w, const struct task *t)
{
        struct own_project *o = own(w, t->project);
        double size = o->rate * 0.1 < 1 ? 1 : o->rate * 0.1;

        assert_false(t->project->settings.paused);
        if (t->project->settings.limit)
                assert_true(o->running < (int)t->project->settings.limit);
        if (!o->rate)
                return;
        o->tokens += (double)(w->st.now - o->tokens_read) / 1e9 * o->rate;
        o->tokens = o->tokens > size ? size : o->tokens;
        o->tokens_read = w->st.now;
        assert_true(o->tokens > 1 - 1e-3);
        o->tokens -= 1;
}

void state_check_start(struct world *w, const struct task *t, const struct seat *seat)
{
        assert_int_equal(t->state, TASK_QUEUED);
        assert_true(world_suits(w, seat, t));
        assert_true(seat->n_runs < seat->capacity);
        assert_false(t->start_deadline && !t->n_attempts && t->start_deadline <= w->st.now);
        assert_true(t->not_before <= w->st.now);
        assert_null(stage_seat_of(&w->st, t));
        check_limits(w, t);
}

/* ---- promises after every step ---- */

static void check_tasks(struct world *w)
{
        uint64_t n[TASK_STATE_COUNT] = {0};
        uint64_t busy = 0;

        for (int i = 0; i < w->n_live; i++) {
                struct task *t = w->live[i].t;

                n[t->state]++;
                assert_false(task_ended(t));
                /* No other has a seat, since as many have one. */
                if (t->state == TASK_RUNNING)
                        assert_non_null(stage_seat_of(&w->st, t));
                assert_true(t->n_attempts <= t->max_attempts + t->quarantined);
        }
        for (int i = 0; i < STAGE_SEATS; i++)
                busy += w->st.seats[i].live ? w->st.seats[i].seat.n_runs : 0;
        assert_int_equal(busy, n[TASK_RUNNING]);
        assert_int_equal(n[TASK_QUEUED], w->st.s.counts.queued);
        assert_int_equal(n[TASK_DELAYED], w->st.s.counts.delayed);
        assert_int_equal(n[TASK_RUNNING], w->st.s.counts.running);
        assert_int_equal(w->accepted, w->ended + (uint64_t)w->n_live);
        assert_int_equal(w->st.s.counts.bytes, w->n_live);
}

static void check_projects(struct world *w)
{
        for (int i = 0; i < PROJECTS; i++) {
                struct own_project *o = &w->projects[i];

                assert_int_equal(o->p->running, o->running);
                for (int c = 0; c < CLASSES; c++) {
                        struct lane *l = o->p->lanes[c];

                        if (l)
                                assert_int_equal(l->runnable > 0,
                                        l->queued && world_may_start(w, o->p, (enum task_class)c));
                }
        }
}

/* What the scheduler says of seats, counted anew. */
static void check_counts(struct world *w)
{
        uint32_t busy = 0, open = 0, starting = 0, draining = 0, of_class[CLASSES] = {0};

        for (int i = 0; i < STAGE_SEATS; i++) {
                const struct seat *seat = &w->st.seats[i].seat;

                if (!w->st.seats[i].live)
                        continue;
                draining += seat->retiring && seat->capacity > 1 && seat->n_runs;
                assert_int_equal(list_empty(&seat->held), seat->retiring || seat->capacity == 1 || !seat->n_runs);
                if (seat->retiring)
                        continue;
                of_class[seat->class]++;
                busy += seat->state == SEAT_BUSY;
                open += seat->state == SEAT_OPEN;
                starting += seat->state == SEAT_STARTING;
        }
        assert_int_equal(busy, w->st.s.busy);
        assert_int_equal(open, w->st.s.n_open);
        assert_int_equal(starting, w->st.s.starting);
        assert_int_equal(draining, w->st.s.n_draining);
        for (int c = 0; c < CLASSES; c++)
                assert_int_equal(of_class[c], w->st.s.pools[c].seats);
}

static void check_seats(struct world *w)
{
        uint32_t alive = 0, idle = 0, all = 0;

        check_counts(w);
        for (int i = 0; i < STAGE_SEATS; i++) {
                struct seat *seat = &w->st.seats[i].seat;

                all += w->st.seats[i].live;
                if (!w->st.seats[i].live || seat->retiring)
                        continue;
                alive++;
                idle += seat->state == SEAT_IDLE;
                if (seat->state != SEAT_IDLE)
                        continue;
                for (int k = 0; k < PROJECTS; k++) {
                        struct lane *l = w->projects[k].p->lanes[seat->class];

                        if (l && l->runnable)
                                assert_false(world_suits(w, seat, l->head));
                }
        }
        assert_true(alive <= w->max_seats);
        assert_true(all <= w->max_seats + 1); /* one that was closed may finish what it runs */
        assert_int_equal(alive, w->st.s.seats);
        assert_int_equal(idle, w->st.s.n_idle);
}

/* Whoever waits for a seat has one to hope for: one that runs something, a starting one, or room that the autoscaler fills. */
static void check_hope(struct world *w)
{
        struct scheduler_load load = scheduler_load(&w->st.s);

        if (load.runnable > load.held)
                assert_true(load.busy + load.open + load.starting > 0);
}

/* Whatever time alone will change is announced in time. */
static void check_wake(struct world *w)
{
        int64_t wake = scheduler_next_wake(&w->st.s);

        for (int i = 0; i < PROJECTS; i++) {
                const struct project *p = w->projects[i].p;

                if (p->queued && project_room(p) && !project_tokens(p, w->st.now))
                        assert_true(wake <= project_next_token(p, w->st.now));
        }
        for (int i = 0; i < w->n_live; i++) {
                const struct task *t = w->live[i].t;

                if (t->state == TASK_DELAYED)
                        assert_true(wake <= t->not_before);
                if (t->state != TASK_RUNNING && t->start_deadline && !t->n_attempts)
                        assert_true(wake <= t->start_deadline);
        }
        assert_true(wake > w->st.now);
}

void state_check(struct world *w)
{
        check_tasks(w);
        check_projects(w);
        check_seats(w);
        check_hope(w);
        check_wake(w);
}
