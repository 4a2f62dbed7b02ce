/*
 * Who may go first: FIFO within a level, no rank before a higher one, and how ranks rise.
 *
 * A task of priority p has waited in the queue for w, not counting time in which its own project could start nothing, and n
 * tasks of its level have been started meanwhile. Its rank is then at least
 *         min(10, p + w / interval - n)
 * and that of a task of priority q is at most
 *         min(10, q + w' / interval)
 * where w' is how long it has waited in all, or, if that is less, how long its level has held something while its project
 * could start something.
 *
 * So nothing of its own or a lower priority that came n + 1 intervals later is started before it, as long as it could be and
 * that has not come to the top as well. At the top shares decide, which nobody is kept out of.
 */
#include "sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int64_t steps_in(const struct world *w, int64_t ns)
{
        int64_t interval = w->st.s.config.aging_interval;

        return interval ? ns / interval : 0;
}

static int capped(int64_t rank)
{
        return rank < TASK_PRIORITY_MAX ? (int)rank : TASK_PRIORITY_MAX;
}

static struct own_lane *lane_of(struct world *w, const struct task *t)
{
        return &own(w, t->project)->lanes[t->class];
}

/* Came into the queue in this very step: the world has seen nothing of its stay yet. */
static bool is_new(const struct own_task *o)
{
        return o->sequence != o->t->sequence;
}

static int least_rank(struct world *w, const struct own_task *o)
{
        int64_t served, risen;

        if (is_new(o))
                return o->t->priority;
        served = (int64_t)(lane_of(w, o->t)->level_starts[o->t->priority] - o->starts_before);
        risen = steps_in(w, o->ready) - served;
        return capped(o->t->priority + (risen > 0 ? risen : 0));
}

static int most_rank(struct world *w, const struct own_task *o)
{
        int64_t level = lane_of(w, o->t)->level_ready[o->t->priority], waited = is_new(o) ? 0 : w->st.now - o->queued_at;

        return capped(o->t->priority + steps_in(w, waited < level ? waited : level));
}

static const struct own_task *find(const struct world *w, const struct task *t)
{
        for (int i = 0; i < w->n_live; i++)
                if (w->live[i].t == t)
                        return &w->live[i];
        fail();
        return NULL;
}

void order_check(struct world *w, const struct task *t, const struct seat *seat)
{
        int rank = most_rank(w, find(w, t));

        for (int i = 0; i < w->n_live; i++) {
                const struct task *u = w->live[i].t;
                int other;

                if (u == t || u->state != TASK_QUEUED || u->class != t->class)
                        continue;
                if (u->project == t->project && u->priority == t->priority)
                        assert_true(u->sequence > t->sequence);
                /* The seat must do for what goes first in that one's own lane. */
                if (!world_may_start(w, u->project, (enum task_class)u->class) || !world_suits(w, seat, u->project->lanes[u->class]->head))
                        continue;
                other = least_rank(w, &w->live[i]);
                assert_true(other <= rank);
                w->seen.risen += u->priority > t->priority;
        }
        lane_of(w, t)->level_starts[t->priority]++;
}

void order_pass(struct world *w, int64_t ns)
{
        uint32_t levels[PROJECTS][SIM_CLASSES] = {0};

        for (int i = 0; i < w->n_live; i++) {
                const struct task *t = w->live[i].t;
                ptrdiff_t k = own(w, t->project) - w->projects;

                if (t->state != TASK_QUEUED || !world_may_start(w, t->project, (enum task_class)t->class))
                        continue;
                w->live[i].ready += ns;
                if (!(levels[k][t->class] & 1u << t->priority))
                        lane_of(w, t)->level_ready[t->priority] += ns;
                levels[k][t->class] |= 1u << t->priority;
        }
}

static void note_levels(struct world *w)
{
        bool holds[PROJECTS][SIM_CLASSES][TASK_PRIORITIES] = {0};

        for (int i = 0; i < w->n_live; i++) {
                const struct task *t = w->live[i].t;

                if (t->state == TASK_QUEUED)
                        holds[own(w, t->project) - w->projects][t->class][t->priority] = true;
        }
        for (int k = 0; k < PROJECTS; k++)
                for (int c = 0; c < SIM_CLASSES; c++)
                        for (int p = 0; p < TASK_PRIORITIES; p++)
                                if (!holds[k][c][p])
                                        w->projects[k].lanes[c].level_ready[p] = 0;
}

void order_note(struct world *w)
{
        note_levels(w);
        for (int i = 0; i < w->n_live; i++) {
                struct own_task *o = &w->live[i];

                if (o->t->state != TASK_QUEUED || !is_new(o))
                        continue;
                o->sequence = o->t->sequence;
                o->queued_at = w->st.now;
                o->ready = 0;
                o->starts_before = lane_of(w, o->t)->level_starts[o->t->priority];
        }
}
