/* Percentiles by sorting: the sample counts are small. */
#include "measure.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void measure_die(const char *what)
{
        perror(what);
        exit(1);
}

void measure_start(struct measure *m, size_t room)
{
        *m = (struct measure){.ns = calloc(room, sizeof(*m->ns)), .room = room};
        if (!m->ns)
                measure_die("calloc");
        m->started = clock_now();
}

void measure_add(struct measure *m, int64_t ns)
{
        assert(m->n < m->room);
        m->ns[m->n++] = ns;
}

static int compare(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return (x > y) - (x < y);
}

static double percentile_us(const struct measure *m, double part)
{
        return (double)m->ns[(size_t)(part * (double)(m->n - 1))] / 1000.0;
}

void measure_report(struct measure *m)
{
        double seconds = (double)(clock_now() - m->started) / (double)NS_PER_S;

        assert(m->n);
        qsort(m->ns, m->n, sizeof(*m->ns), compare);
        printf("{\"p50\": %.2f, \"p99\": %.2f, \"rate\": %.1f, \"n\": %zu}\n", percentile_us(m, 0.5),
                percentile_us(m, 0.99), (double)m->n / seconds, m->n);
        free(m->ns);
}
