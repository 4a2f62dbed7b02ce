/* Counting failures in a row. */
#include "master/breaker.h"

#include "base/clock.h"

#include <stdio.h>

int64_t breaker_fail(struct breaker *b, const char *reason, int64_t now, int64_t first_ms, int64_t max_ms)
{
        int64_t wait = first_ms;

        for (unsigned int i = 0; i < b->failures && wait < max_ms; i++)
                wait *= 2;
        if (wait > max_ms)
                wait = max_ms;
        b->failures++;
        b->not_before = now + wait * NS_PER_MS;
        snprintf(b->reason, sizeof(b->reason), "%s", reason);
        return wait;
}

bool breaker_bar(struct breaker *b, const char *reason)
{
        bool was_barred = b->barred;

        b->failures++;
        b->not_before = INT64_MAX;
        b->barred = true;
        snprintf(b->reason, sizeof(b->reason), "%s", reason);
        return !was_barred;
}

bool breaker_close(struct breaker *b)
{
        bool was_open = breaker_is_open(b);

        *b = (struct breaker){0};
        return was_open;
}
