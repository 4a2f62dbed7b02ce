/*
 * The restart-intensity breaker, one a class: workers that fail to start are started again with growing pauses, and from
 * the fifth failure in a row on everybody can see it. Where too little holds around a class's workers it is barred: none
 * is started until something may have been mended. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { BREAKER_FAILURES = 5 };

struct breaker {
        unsigned int failures; /* in a row */
        int64_t not_before;    /* the next start, ns; 0: at once */
        bool barred;
        char reason[512];      /* of the last one */
};

/* Counts a failure and sets the pause: first_ms, doubled with each one up to max_ms. The pause in ms. */
int64_t breaker_fail(struct breaker *b, const char *reason, int64_t now, int64_t first_ms, int64_t max_ms);
/* True if it was not barred until now. */
bool breaker_bar(struct breaker *b, const char *reason);
/* True if it was open until now. */
bool breaker_close(struct breaker *b);

/* Something may have been mended: the pause is over, the failures count on. */
static inline void breaker_try_again(struct breaker *b)
{
        b->not_before = 0;
        b->barred = false;
}

/* Whether nothing may be started yet. */
static inline bool breaker_holds(const struct breaker *b, int64_t now)
{
        return now < b->not_before;
}

static inline bool breaker_is_open(const struct breaker *b)
{
        return b->barred || b->failures >= BREAKER_FAILURES;
}
