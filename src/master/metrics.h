/*
 * What handlers measure: a small table of named numbers for each, summed up over all of its workers. Names and values come
 * from workers and are hostile. Pure.
 */
#pragma once

#include "base/histogram.h"
#include "master/task.h"
#include "wire/codec.h"
#include "wire/pack.h"

enum { METRICS_MAX = 64, METRIC_NAME_MAX = 64 }; /* names of a handler */

/* As the words of worker_metric.kind. */
enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric {
        char name[METRIC_NAME_MAX + 1];
        char *help; /* NULL: none */
        enum metric_kind kind;
        double value;                /* a counter's sum, a gauge's last value */
        struct histogram *histogram; /* of that kind only */
};

/* Of one handler, in the order of their first values. */
struct metric_set {
        struct metric *items;
        unsigned int n;
};

struct metrics {
        struct metric_set sets[HANDLERS_MAX];
};

void metrics_fini(struct metrics *m);

/* Takes a worker's measurement in; a new name begins a metric. Positive: refused, since it is no name or no value of its
 * kind, the name was another kind before, or there are METRICS_MAX already. -ENOMEM. */
int metrics_take(struct metrics *m, unsigned int handler, const struct wire_worker_metric *note, struct wire_refusal *why);
/* Begins anew: the handler is another one now. */
void metrics_forget(struct metrics *m, unsigned int handler);

/* {NAME: {kind, help?, value}}, of a histogram {kind, help?, count, sum, min, max, p50, p90, p99}. */
void metrics_write(struct pack *p, const struct metric_set *set);
