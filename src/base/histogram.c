/* frexp() gives a number's power of two and where it lies between that and the next; the rest is counting. */
#include "base/histogram.h"

#include <math.h>

static unsigned int bucket_of(double value)
{
        double mantissa;
        int exponent;

        if (!(value > 0))
                return 0;
        mantissa = frexp(value, &exponent); /* in [0.5, 1) */
        if (exponent <= HISTOGRAM_EXPONENT_MIN)
                return 1;
        if (exponent > HISTOGRAM_EXPONENT_MAX)
                return HISTOGRAM_BUCKETS - 1;
        return 1 + (unsigned int)(exponent - 1 - HISTOGRAM_EXPONENT_MIN) * HISTOGRAM_PARTS +
                (unsigned int)((mantissa * 2 - 1) * HISTOGRAM_PARTS);
}

double histogram_bound(unsigned int bucket)
{
        unsigned int at = bucket; /* of the next one's lower bound */

        if (!bucket)
                return 0;
        if (bucket >= HISTOGRAM_BUCKETS - 1)
                return INFINITY;
        return ldexp(1 + (double)(at % HISTOGRAM_PARTS) / HISTOGRAM_PARTS,
                HISTOGRAM_EXPONENT_MIN + (int)(at / HISTOGRAM_PARTS));
}

void histogram_add(struct histogram *h, double value)
{
        if (!h->count || value < h->least)
                h->least = value;
        if (!h->count || value > h->most)
                h->most = value;
        h->count++;
        h->sum += value;
        h->buckets[bucket_of(value)]++;
}

/* In the middle of a bucket, but never outside of what there was. */
static double middle_of(const struct histogram *h, unsigned int bucket)
{
        double low = bucket ? histogram_bound(bucket - 1) : h->least, high = histogram_bound(bucket), middle;

        if (bucket == 1)
                low = ldexp(1, HISTOGRAM_EXPONENT_MIN);
        middle = isinf(high) ? h->most : (low + high) / 2;
        return fmin(fmax(middle, h->least), h->most);
}

double histogram_quantile(const struct histogram *h, double part)
{
        double wanted = part * (double)h->count;
        uint64_t seen = 0;

        for (unsigned int i = 0; h->count && i < HISTOGRAM_BUCKETS; i++) {
                seen += h->buckets[i];
                if (seen && (double)seen >= wanted)
                        return middle_of(h, i);
        }
        return 0;
}
