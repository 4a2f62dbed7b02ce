/* What happens before each sleep. */
#include "master/loop.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>

static void flush_all(struct loop *l)
{
        for (struct list *node; (node = list_first(&l->dirty));) {
                struct flushable *f = list_entry(node, struct flushable, node);

                list_unlink(node);
                f->flush(f);
        }
}

static void bury_all(struct loop *l)
{
        for (struct list *node; (node = list_first(&l->graves));) {
                struct grave *g = list_entry(node, struct grave, node);

                list_unlink(node);
                g->bury(g);
        }
}

static void on_before_sleep(struct ev_loop *ev, struct ev_prepare *w, int events)
{
        struct loop *l = w->data;

        (void)ev;
        (void)events;
        ev_idle_stop(l->ev, &l->awake);
        l->tick(l);
        flush_all(l);
        bury_all(l);
}

/* That it is active is all there is to it. */
static void on_awake(struct ev_loop *ev, struct ev_idle *w, int events)
{
        (void)ev;
        (void)w;
        (void)events;
}

int loop_init(struct loop *l, void (*tick)(struct loop *))
{
        /* Not the default loop: that one would reap our children behind our back. */
        *l = (struct loop){.ev = ev_loop_new(EVFLAG_NOENV | EVFLAG_SIGNALFD), .tick = tick};
        if (!l->ev)
                return error_origin(-ENOSYS);
        list_init(&l->dirty);
        list_init(&l->graves);
        ev_prepare_init(&l->before_sleep, on_before_sleep);
        l->before_sleep.data = l;
        ev_idle_init(&l->awake, on_awake);
        ev_prepare_start(l->ev, &l->before_sleep);
        return 0;
}

void loop_fini(struct loop *l)
{
        if (!l->ev)
                return;
        bury_all(l);
        ev_prepare_stop(l->ev, &l->before_sleep);
        ev_idle_stop(l->ev, &l->awake);
        ev_loop_destroy(l->ev);
        l->ev = NULL;
}

void loop_mark_dirty(struct loop *l, struct flushable *f)
{
        if (list_empty(&f->node))
                list_push_back(&l->dirty, &f->node);
}

void loop_come_round(struct loop *l)
{
        ev_idle_start(l->ev, &l->awake);
}

void loop_bury(struct loop *l, struct grave *g)
{
        list_push_back(&l->graves, &g->node);
}

static void on_alarm(struct ev_loop *ev, struct ev_timer *alarm, int events)
{
        (void)ev;
        (void)alarm;
        (void)events;
}

void loop_alarm_init(struct ev_timer *alarm)
{
        ev_init(alarm, on_alarm);
}

void loop_alarm_set(struct loop *l, struct ev_timer *alarm, int64_t now, int64_t at)
{
        ev_timer_stop(l->ev, alarm);
        if (at == INT64_MAX)
                return;
        ev_timer_set(alarm, at > now ? (double)(at - now) / NS_PER_S : 0., 0.);
        ev_timer_start(l->ev, alarm);
}
