/*
 * A histogram of constant size for positive numbers of any magnitude: sixteen buckets for each power of two, so that a
 * quantile is off by at most a thirtieth. Numbers outside of 2^-40 to 2^40 are counted in the outermost buckets, and those
 * that are not positive in one of their own; count, sum, least and most are exact for all of them.
 */
#pragma once

#include <stdint.h>

enum {
        HISTOGRAM_EXPONENT_MIN = -40,
        HISTOGRAM_EXPONENT_MAX = 40,
        HISTOGRAM_PARTS = 16, /* of a power of two */
        HISTOGRAM_BUCKETS = 1 + (HISTOGRAM_EXPONENT_MAX - HISTOGRAM_EXPONENT_MIN) * HISTOGRAM_PARTS,
};

struct histogram {
        uint64_t count;
        double sum, least, most;
        uint64_t buckets[HISTOGRAM_BUCKETS]; /* the first: not positive */
};

/* A zeroed one is empty. value: finite. */
void histogram_add(struct histogram *h, double value);

/* A value that this part of the numbers (0 to 1) is not above. 0 when there are none. */
double histogram_quantile(const struct histogram *h, double part);

/* The upper bound of a bucket; infinite for the last. Its numbers are below it, but for the first: there they are 0 or
 * less. */
double histogram_bound(unsigned int bucket);
