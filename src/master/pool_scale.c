/* How many workers: looking, asking the autoscaler, growing and shrinking as it says. */
#include "master/pool.h"

#include "base/clock.h"
#include "base/log.h"

/* What is due and could not be done is tried again after this time. */
static const int64_t OVERDUE_WAIT = 100 * NS_PER_MS;

static struct autoscaler_input look(struct pool *p, int64_t now)
{
        struct scheduler_load load = scheduler_load(p->scheduler);
        struct seat *oldest = scheduler_oldest_idle(p->scheduler);

        return (struct autoscaler_input){.now = now, .alive = load.seats, .starting = load.coming, .busy = load.busy,
                .idle = load.idle, .runnable = load.runnable - load.held, .oldest_idle_since = oldest ? oldest->idle_since : now};
}

static bool grow(struct pool *p, const struct autoscaler_step *step, const struct autoscaler_input *in)
{
        for (uint32_t i = 0; i < step->count; i++) {
                enum task_class class = CLASS_JS;

                scheduler_wanted_class(p->scheduler, &class);
                if (!pool_may_start(p, class, in->now) || pool_start(p, class, NULL) < 0)
                        return false;
        }
        log_info("scaled-up", "from %u to %u workers: %s", in->alive, in->alive + step->count, step->reason);
        return true;
}

static struct worker *any_busy(struct pool *p)
{
        list_for_each(node, &p->workers) {
                struct worker *w = list_entry(node, struct worker, node);

                if (w->seat.n_runs && !w->seat.retiring)
                        return w;
        }
        return NULL;
}

static bool shrink(struct pool *p, const struct autoscaler_step *step, const struct autoscaler_input *in)
{
        struct seat *seat = scheduler_oldest_idle(p->scheduler);
        struct worker *w = seat ? container_of(seat, struct worker, seat) : step->busy_too ? any_busy(p) : NULL;

        if (!w)
                return false;
        log_info("scaled-down", "from %u to %u workers: %s", in->alive, in->alive - 1, step->reason);
        pool_retire(w, step->reason);
        return true;
}

/* Classes whose pause is over may be started again. The time of the next such end. */
static int64_t release_classes(struct pool *p, int64_t now)
{
        int64_t next = INT64_MAX;

        for (int c = 0; c < CLASSES; c++) {
                bool held = breaker_holds(&p->breakers[c], now);

                /* Whoever must make room for it is decided in the next turn. */
                if (!held && p->scheduler->pools[c].held)
                        loop_come_round(p->loop);
                scheduler_hold_class(p->scheduler, (enum task_class)c, held);
                if (held && p->breakers[c].not_before < next)
                        next = p->breakers[c].not_before;
        }
        return next;
}

void pool_scale(struct pool *p)
{
        int64_t now = clock_now(), wake, released = release_classes(p, now);
        struct autoscaler_input in = look(p, now);
        bool going = !p->closing;

        while (going) {
                struct autoscaler_step step = autoscaler_decide(&p->autoscaler, &in);

                if (step.at_ceiling)
                        log_warn("at-ceiling", "%llu tasks wait and all %u workers are there",
                                (unsigned long long)in.runnable, in.alive);
                if (step.verb == AUTOSCALE_NOTHING)
                        break;
                going = step.verb == AUTOSCALE_GROW ? grow(p, &step, &in) : shrink(p, &step, &in);
                in = look(p, now);
        }
        wake = p->closing ? INT64_MAX : autoscaler_next_wake(&p->autoscaler, &in);
        if (released < wake)
                wake = released;
        /* What is due and was not done cannot be done now: an event will change that, or time, but not at once. */
        if (wake <= now)
                wake = now + OVERDUE_WAIT;
        loop_alarm_set(p->loop, &p->wake, now, wake);
}

static struct autoscaler_config settings_of(const struct config_worker *c)
{
        return (struct autoscaler_config){.enabled = c->auto_scale,
                .min = (uint32_t)(c->auto_scale ? c->min_processes : c->max_processes), .max = (uint32_t)c->max_processes,
                .up_threshold = c->scale_up_threshold, .down_threshold = c->scale_down_threshold,
                .check_interval = c->scale_check_interval * NS_PER_MS, .down_cooldown = c->scale_down_cooldown * NS_PER_MS,
                .idle_timeout = c->worker_idle_timeout * NS_PER_MS};
}

void pool_configure(struct pool *p, const struct config *config)
{
        struct autoscaler_config settings = settings_of(&config->daemon.worker);

        p->config = &config->daemon.worker;
        autoscaler_configure(&p->autoscaler, &settings);
}
