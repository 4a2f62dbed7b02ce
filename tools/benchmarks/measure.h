/* Samples of one run, and how they are printed: one JSON object with p50, p99 (microseconds) and rate (per second). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct measure {
        int64_t *ns; /* one a sample */
        size_t n, room;
        int64_t started;
};

/* Ends the program when there is no memory for `room` samples. */
void measure_start(struct measure *m, size_t room);
void measure_add(struct measure *m, int64_t ns);
/* Prints, and frees. The rate is over the time since measure_start. */
void measure_report(struct measure *m);

/* Says which call failed and ends the program: a benchmark has nobody to hand an error to. */
_Noreturn void measure_die(const char *what);
