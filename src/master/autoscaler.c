/* The autoscaler: rules in the order of their urgency; the first that applies gives the step. */
#include "master/autoscaler.h"

#include "base/clock.h"

/* A worker that hangs at its start holds the next step up no longer than this. */
static const int64_t STEP_PATIENCE = 100 * NS_PER_MS;

static const struct autoscaler_step nothing = {.verb = AUTOSCALE_NOTHING, .reason = "nothing to do"};

void autoscaler_init(struct autoscaler *a, const struct autoscaler_config *config, int64_t now)
{
        *a = (struct autoscaler){.config = *config, .step = 1, .last_growth = now, .last_check = now};
}

void autoscaler_configure(struct autoscaler *a, const struct autoscaler_config *config)
{
        a->config = *config;
}

static uint32_t least(const struct autoscaler *a)
{
        return a->config.enabled ? a->config.min : a->config.max;
}

static uint32_t room(const struct autoscaler *a, const struct autoscaler_input *in)
{
        return a->config.max > in->alive ? a->config.max - in->alive : 0;
}

/* Tasks that no worker is being started for yet. */
static uint64_t waiting(const struct autoscaler_input *in)
{
        return in->runnable > in->starting ? in->runnable - in->starting : 0;
}

static double load(const struct autoscaler_input *in)
{
        return (double)(in->busy + in->runnable) / (in->alive ? in->alive : 1);
}

static struct autoscaler_step grow(
        struct autoscaler *a, const struct autoscaler_input *in, uint64_t n, const char *reason)
{
        uint32_t most = room(a, in), count = n < most ? (uint32_t)n : most;

        if (in->alive + count > a->size)
                a->last_growth = in->now;
        return (struct autoscaler_step){.verb = AUTOSCALE_GROW, .count = count, .reason = reason};
}

static struct autoscaler_step retire(
        struct autoscaler *a, const struct autoscaler_input *in, bool busy_too, const char *reason)
{
        a->size = in->alive - 1;
        return (struct autoscaler_step){
                .verb = AUTOSCALE_RETIRE, .count = 1, .busy_too = busy_too, .reason = reason};
}

static struct autoscaler_step on_ceiling(struct autoscaler *a)
{
        struct autoscaler_step step = nothing;

        step.at_ceiling = !a->ceiling_told;
        step.reason = "tasks wait, and maxProcesses is reached";
        a->ceiling_told = true;
        return step;
}

static struct autoscaler_step on_waiting(struct autoscaler *a, const struct autoscaler_input *in)
{
        uint64_t wanted = waiting(in);
        struct autoscaler_step step;

        if (!room(a, in))
                return on_ceiling(a);
        a->ceiling_told = false;
        if (in->alive < a->size)
                return grow(a, in, wanted < a->size - in->alive ? wanted : a->size - in->alive,
                        "tasks wait: replaces workers");
        if (in->starting && in->now - a->last_growth < STEP_PATIENCE)
                return nothing;
        step = grow(a, in, wanted < a->step ? wanted : a->step, "tasks wait");
        if (a->step < a->config.max)
                a->step *= 2;
        return step;
}

static bool may_shrink(const struct autoscaler *a, const struct autoscaler_input *in)
{
        return a->config.idle_timeout && in->alive > least(a) && in->idle && !in->runnable && !in->starting &&
                load(in) < a->config.down_threshold;
}

static int64_t shrink_time(const struct autoscaler *a, const struct autoscaler_input *in)
{
        int64_t idle = in->oldest_idle_since + a->config.idle_timeout,
                cool = a->last_growth + a->config.down_cooldown;

        return idle > cool ? idle : cool;
}

static bool check_is_due(struct autoscaler *a, int64_t now)
{
        if (now - a->last_check < a->config.check_interval)
                return false;
        a->last_check = now;
        return true;
}

struct autoscaler_step autoscaler_decide(struct autoscaler *a, const struct autoscaler_input *in)
{
        bool check = check_is_due(a, in->now);

        if (a->size < in->alive)
                a->size = in->alive;
        if (!in->runnable) {
                a->step = 1;
                a->ceiling_told = false;
        }
        if (in->alive < least(a))
                return grow(a, in, least(a) - in->alive, "fewer than minProcesses");
        if (in->alive > a->config.max)
                return retire(a, in, true, "more than maxProcesses");
        if (waiting(in))
                return on_waiting(a, in);
        if (check && load(in) > a->config.up_threshold && room(a, in))
                return grow(a, in, 1, "load over scaleUpThreshold");
        if (may_shrink(a, in) && shrink_time(a, in) <= in->now)
                return retire(a, in, false, "idle, and load under scaleDownThreshold");
        return nothing;
}

int64_t autoscaler_next_wake(const struct autoscaler *a, const struct autoscaler_input *in)
{
        int64_t at = INT64_MAX;

        if (room(a, in) && in->alive)
                at = a->last_check + a->config.check_interval;
        if (waiting(in) && room(a, in) && a->last_growth + STEP_PATIENCE < at)
                at = a->last_growth + STEP_PATIENCE;
        if (may_shrink(a, in) && shrink_time(a, in) < at)
                at = shrink_time(a, in);
        return at;
}
