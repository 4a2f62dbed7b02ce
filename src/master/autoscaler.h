/*
 * How many workers there should be. Pure: the shell fills in what it sees and asks after every event that may matter and
 * when check_interval has passed; it gets back one step to take now. Processes that retire count in none of the inputs.
 *
 *   grow    at once when a task waits for a seat and there is room: 1, 2, 4, ... at a time, the next step when the workers
 *           of the last one are there; back to 1 once nothing waits. What died or made room is replaced without steps.
 *           To min always. With load over scaleUpThreshold by one at each check.
 *   shrink  the longest idle first, one by one: load under scaleDownThreshold, idle for workerIdleTimeout, and
 *           scaleDownCooldown since the last growth. Never under min. Over max, surplus retires without waiting.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct autoscaler_config {
        bool enabled; /* false: the pool has max workers */
        uint32_t min, max;
        double up_threshold, down_threshold;
        int64_t check_interval, down_cooldown, idle_timeout; /* ns; idle_timeout 0: never */
};

struct autoscaler_input {
        int64_t now;
        uint32_t alive;            /* starting, idle, busy, and those that run something and have room */
        uint32_t starting, busy, idle; /* starting: those that some of the runnable tasks wait for */
        uint64_t runnable;         /* tasks that wait for nothing but a seat, after scheduler_decide said false */
        int64_t oldest_idle_since; /* with idle > 0 */
};

enum autoscaler_verb { AUTOSCALE_NOTHING, AUTOSCALE_GROW, AUTOSCALE_RETIRE };

struct autoscaler_step {
        enum autoscaler_verb verb;
        uint32_t count;     /* GROW: how many; RETIRE: 1, the oldest idle one */
        bool busy_too;      /* RETIRE: over max, so a busy one retires after its task when no idle one is there */
        bool at_ceiling;    /* tasks wait and there is no room: true once, until there was room again */
        const char *reason; /* a few words for the log; static */
};

struct autoscaler {
        struct autoscaler_config config;
        uint32_t size; /* reached by growing, kept until shrunk: fewer alive means that some are to be replaced */
        uint32_t step; /* size of the next growth */
        bool ceiling_told;
        int64_t last_growth, last_check;
};

void autoscaler_init(struct autoscaler *a, const struct autoscaler_config *config, int64_t now);
/* Live. min over max is the configuration's to refuse. */
void autoscaler_configure(struct autoscaler *a, const struct autoscaler_config *config);

/* The step to take now; ask again after taking it, until NOTHING. */
struct autoscaler_step autoscaler_decide(struct autoscaler *a, const struct autoscaler_input *in);
/* When to ask again at the latest, given the same input; INT64_MAX: when something happens. */
int64_t autoscaler_next_wake(const struct autoscaler *a, const struct autoscaler_input *in);
