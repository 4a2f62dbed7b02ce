/* Time. Deadlines and durations live on the monotonic clock in nanoseconds; wall time is for people only. */
#pragma once

#include <stdint.h>
#include <time.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)
#define NS_PER_S INT64_C(1000000000)

static inline int64_t clock_read_ns(clockid_t id)
{
        struct timespec ts;

        clock_gettime(id, &ts);
        return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* Monotonic nanoseconds. */
static inline int64_t clock_now(void)
{
        return clock_read_ns(CLOCK_MONOTONIC);
}

/* Milliseconds since 1970, UTC. */
static inline int64_t clock_wall_ms(void)
{
        return clock_read_ns(CLOCK_REALTIME) / NS_PER_MS;
}
