/*
 * How worker time is shared. Two lanes of one class can both start something at the same rank, for a while. In that time the
 * worker time that they have used, each for its weight, drifts apart by a bounded amount, however long it lasts: so over a
 * window of twenty times as much the shares are within 5 % of the weights.
 */
#include "sim.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* As the scheduler has them: what the first task of a lane is charged, and by how much a lane may pass on a seat of its own. */
static const double FIRST_ESTIMATE = 1e6, SWITCH_QUANTUM = 10e6;

static struct own_lane *lane_of(struct world *w, const struct task *t)
{
        return &own(w, t->project)->lanes[t->class];
}

/* In the other classes seats may be missing, for a long time, that only some lanes need: the others go on then. */
static bool is_shared(int class)
{
        return class == CLASS_JS || class == CLASS_SHELL;
}

/* ---- what happened ---- */

static void begin_anew(struct own_lane *o)
{
        o->breaks++;
        o->particular = o->served = false;
}

void shares_note_start(struct world *w, const struct task *t, const struct seat *seat)
{
        struct own_lane *o = lane_of(w, t);
        int rank = t->project->lanes[t->class]->rank;

        o->starts++;
        o->served = true;
        if (rank != o->rank)
                begin_anew(o);
        o->particular |= seat->use == SEAT_BOUND || scheduler_isolation(&w->st.s, t) != ISOLATION_HEAP;
        o->changes += rank != o->start_rank;
        o->start_rank = rank;
}

void shares_note_use(struct world *w, const struct task *t, double used)
{
        struct own_lane *o = lane_of(w, t);

        o->used += used;
        o->longest = fmax(o->longest, used);
}

void shares_break(struct world *w, struct own_project *o)
{
        ptrdiff_t k = o - w->projects;

        for (int c = 0; c < SIM_CLASSES; c++) {
                begin_anew(&o->lanes[c]);
                o->lanes[c].changes++;
                for (int i = 0; i < PROJECTS; i++)
                        w->pairs[c][i][k].measured = w->pairs[c][k][i].measured = false;
        }
}

/* A lane whose first task is in quarantine stands aside until there is a fresh seat for it alone. */
static int rank_of(const struct lane *l)
{
        return l && l->runnable && !l->head->quarantined ? l->rank : -1;
}

static void note_lane(struct world *w, struct own_lane *o, const struct lane *l)
{
        int rank = rank_of(l);

        if (rank < 0 || rank != o->rank)
                begin_anew(o);
        o->rank = rank;
        if (rank >= 0)
                o->particular |= scheduler_isolation(&w->st.s, l->head) != ISOLATION_HEAP;
}

static void note_running(struct world *w)
{
        for (int k = 0; k < PROJECTS; k++)
                for (int c = 0; c < SIM_CLASSES; c++)
                        w->projects[k].lanes[c].running = w->projects[k].lanes[c].running_used = 0;
        for (int i = 0; i < STAGE_SEATS; i++) {
                const struct task *t = w->st.seats[i].live ? seat_task(&w->st.seats[i].seat) : NULL;
                struct own_lane *o = t ? lane_of(w, t) : NULL;
                double used = t ? (double)(w->st.now - t->since) : 0;

                if (!t || !is_shared(t->class))
                        continue;
                o->running++;
                o->running_used += used;
                o->longest = fmax(o->longest, used);
                o->most_running = fmax(o->most_running, o->running);
        }
        for (int k = 0; k < PROJECTS; k++)
                for (int c = 0; c < SIM_CLASSES; c++) {
                        struct own_lane *o = &w->projects[k].lanes[c];

                        o->got = (o->used + o->running_used) / w->projects[k].p->settings.weight;
                        o->in_flight = o->most_running * fmax(o->longest, FIRST_ESTIMATE) /
                                w->projects[k].p->settings.weight;
                }
}

/* ---- what is promised ---- */

/* When one of the two starts something it has the lower turn. Until it does so again it gets ahead by what its running tasks
 * use, and by what the other's were charged and have not used yet; and the same the other way round. On a seat that does not
 * suit everybody it may pass by a quantum, and go on while seats are being started for others: in these worlds that takes a
 * few milliseconds. */
static double drift_allowed(const struct world *w, const struct own_lane *x, const struct own_lane *y, bool particular)
{
        double passing = particular ? SWITCH_QUANTUM + w->max_seats * (double)w->st.start_time : 0;

        return 2 * (x->in_flight + y->in_flight + passing);
}

/* Whoever comes and goes brings its debts along and no savings: it gets no further ahead of one that is there all the time. It
 * may while it has tasks of a higher rank. Whoever else is passed on seats of their own holds back the clock by which it
 * comes. */
static void check_lead(struct world *w, const struct own_lane *there, const struct own_lane *other, struct own_lead *lead)
{
        double ahead = other->got - there->got;

        if (!there->served)
                return;
        if (lead->breaks != there->breaks || lead->changes != other->changes || other->start_rank != there->rank ||
                (other->rank >= 0 && other->rank != there->rank))
                *lead = (struct own_lead){.breaks = there->breaks, .changes = other->changes, .least = ahead};
        lead->least = fmin(lead->least, ahead);
        assert_true(ahead - lead->least <= drift_allowed(w, there, other, true));
}

/* One of the two begins anew. It owes nothing to one that has used more meanwhile than it can have been behind. */
static void open_pair(const struct world *w, struct own_pair *pair, const struct own_lane *x, const struct own_lane *y)
{
        double ahead = x->got - y->got, allowed = drift_allowed(w, x, y, true);
        bool known = pair->measured;

        pair->claims[0] = x->served && known && ahead > pair->most + allowed;
        pair->claims[1] = y->served && known && ahead < pair->least - allowed;
        pair->breaks[0] = x->breaks;
        pair->breaks[1] = y->breaks;
        pair->starts[0] = x->starts;
        pair->starts[1] = y->starts;
        pair->ahead = ahead;
        pair->measured = false;
}

/* Then it is not made to wait for what others owe. */
static void check_newcomer(const struct own_pair *pair, double ahead, double allowed)
{
        if (pair->claims[0])
                assert_true(ahead - pair->ahead <= allowed);
        if (pair->claims[1])
                assert_true(pair->ahead - ahead <= allowed);
}

/* In every window since the measuring began. */
static void check_window(struct world *w, struct own_pair *pair, double a, double b, double allowed)
{
        double got_a = a - pair->used[0], got_b = b - pair->used[1];

        pair->least = fmin(pair->least, a - b);
        pair->most = fmax(pair->most, a - b);
        assert_true(pair->most - pair->least <= allowed);
        w->seen.drift = fmax(w->seen.drift, (pair->most - pair->least) / allowed);
        if (fmin(got_a, got_b) < 20 * allowed)
                return;
        assert_true(fabs(got_a - got_b) <= 0.05 * fmin(got_a, got_b));
        w->seen.share = fmax(w->seen.share, fabs(got_a / got_b - 1));
        w->seen.long_windows++;
        pair->used[0] = a;
        pair->used[1] = b;
}

static void check_pair(struct world *w, const struct own_lane *x, const struct own_lane *y, struct own_pair *pair)
{
        double allowed;

        check_lead(w, x, y, &pair->lead[0]);
        check_lead(w, y, x, &pair->lead[1]);
        if (x->rank < 0 || x->rank != y->rank)
                return;
        allowed = drift_allowed(w, x, y, x->particular || y->particular);
        if (pair->breaks[0] != x->breaks || pair->breaks[1] != y->breaks)
                open_pair(w, pair, x, y);
        check_newcomer(pair, x->got - y->got, drift_allowed(w, x, y, true));
        /* From when both have started something: a debt of before is paid by then. */
        if (pair->starts[0] == x->starts || pair->starts[1] == y->starts)
                return;
        if (!pair->measured) {
                pair->measured = true;
                pair->used[0] = x->got;
                pair->used[1] = y->got;
                pair->least = pair->most = x->got - y->got;
        }
        check_window(w, pair, x->got, y->got, allowed);
}

static void check_class(struct world *w, int class)
{
        for (int i = 0; i < PROJECTS; i++)
                for (int k = i + 1; k < PROJECTS; k++) {
                        const struct own_lane *x = &w->projects[i].lanes[class], *y = &w->projects[k].lanes[class];

                        if (x->starts && y->starts)
                                check_pair(w, x, y, &w->pairs[class][i][k]);
                }
}

void shares_check(struct world *w)
{
        for (int k = 0; k < PROJECTS; k++)
                for (int c = 0; c < SIM_CLASSES; c++)
                        note_lane(w, &w->projects[k].lanes[c], w->projects[k].p->lanes[c]);
        note_running(w);
        for (int c = 0; c < SIM_CLASSES; c++)
                if (is_shared(c))
                        check_class(w, c);
}
