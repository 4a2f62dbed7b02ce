/* A handler has few metrics, so they are looked for one after the other; their room is made when the first one comes. */
#include "master/metrics.h"

#include "base/error.h"
#include "base/utf8.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char kinds[] = "counter|gauge|histogram";

/* ---- what is taken ---- */

static bool is_name(struct bytes s)
{
        for (size_t i = 0; i < s.len; i++)
                if (!isalnum(s.data[i]) && s.data[i] != '_')
                        return false;
        return s.len && s.len <= METRIC_NAME_MAX && !isdigit(s.data[0]);
}

static bool is_text(struct bytes s)
{
        for (size_t n; s.len; s.data += n, s.len -= n) {
                n = utf8_length(s.data, s.len);
                if (!n || *s.data < ' ')
                        return false;
        }
        return true;
}

static int check(const struct wire_worker_metric *note, struct wire_refusal *why)
{
        if (!is_name(note->name))
                return wire_refuse(why, WIRE_BAD_FRAME, "a metric's name that is none");
        if (!isfinite(note->value) || (note->kind == METRIC_COUNTER && note->value < 0))
                return wire_refuse(why, WIRE_BAD_FRAME, "metric %.*s: a value that is none", (int)note->name.len,
                        (const char *)note->name.data);
        if (WIRE_HAS(note, worker_metric, help) && !is_text(note->help))
                return wire_refuse(why, WIRE_BAD_FRAME, "metric %.*s: a help text that cannot be read", (int)note->name.len,
                        (const char *)note->name.data);
        return 0;
}

/* ---- the table ---- */

static struct metric *find(const struct metric_set *set, struct bytes name)
{
        for (unsigned int i = 0; i < set->n; i++)
                if (wire_str_is(name, set->items[i].name))
                        return &set->items[i];
        return NULL;
}

static void drop(struct metric *metric)
{
        free(metric->help);
        free(metric->histogram);
        *metric = (struct metric){0};
}

static int add(struct metric_set *set, const struct wire_worker_metric *note, struct metric **out, struct wire_refusal *why)
{
        struct metric *metric;

        if (set->n == METRICS_MAX)
                return wire_refuse(why, WIRE_BAD_FRAME, "more than %d metrics", METRICS_MAX);
        if (!set->items)
                set->items = calloc(METRICS_MAX, sizeof(*set->items));
        if (!set->items)
                return error_origin(-ENOMEM);
        metric = &set->items[set->n];
        metric->kind = (enum metric_kind)note->kind;
        memcpy(metric->name, note->name.data, note->name.len);
        if (metric->kind == METRIC_HISTOGRAM && !(metric->histogram = calloc(1, sizeof(*metric->histogram)))) {
                drop(metric);
                return error_origin(-ENOMEM);
        }
        set->n++;
        *out = metric;
        return 0;
}

static void count(struct metric *metric, double value)
{
        switch (metric->kind) {
        case METRIC_COUNTER:
                /* Past the largest number it stays there. */
                metric->value = fmin(metric->value + value, 0x1p1023);
                break;
        case METRIC_GAUGE:
                metric->value = value;
                break;
        case METRIC_HISTOGRAM:
                histogram_add(metric->histogram, value);
                break;
        }
}

int metrics_take(struct metrics *m, unsigned int handler, const struct wire_worker_metric *note, struct wire_refusal *why)
{
        struct metric_set *set = &m->sets[handler];
        int r = check(note, why);
        struct metric *metric;

        if (r)
                return r;
        metric = find(set, note->name);
        if (!metric && (r = add(set, note, &metric, why)))
                return r;
        if (metric->kind != note->kind)
                return wire_refuse(why, WIRE_BAD_FRAME, "metric %s is a %.*s", metric->name,
                        (int)wire_word(kinds, metric->kind).len, (const char *)wire_word(kinds, metric->kind).data);
        if (WIRE_HAS(note, worker_metric, help) && !metric->help)
                metric->help = strndup((const char *)note->help.data, note->help.len);
        count(metric, note->value);
        return 0;
}

void metrics_forget(struct metrics *m, unsigned int handler)
{
        struct metric_set *set = &m->sets[handler];

        for (unsigned int i = 0; i < set->n; i++)
                drop(&set->items[i]);
        set->n = 0;
}

void metrics_fini(struct metrics *m)
{
        for (unsigned int i = 0; i < HANDLERS_MAX; i++) {
                metrics_forget(m, i);
                free(m->sets[i].items);
                m->sets[i].items = NULL;
        }
}

/* ---- shown ---- */

static void write_histogram(struct pack *p, const struct histogram *h)
{
        pack_entry_uint(p, "count", h->count);
        pack_entry_double(p, "sum", isfinite(h->sum) ? h->sum : copysign(0x1p1023, h->sum));
        pack_entry_double(p, "min", h->least);
        pack_entry_double(p, "max", h->most);
        pack_entry_double(p, "p50", histogram_quantile(h, 0.5));
        pack_entry_double(p, "p90", histogram_quantile(h, 0.9));
        pack_entry_double(p, "p99", histogram_quantile(h, 0.99));
}

void metrics_write(struct pack *p, const struct metric_set *set)
{
        pack_map(p, set->n);
        for (unsigned int i = 0; i < set->n; i++) {
                const struct metric *metric = &set->items[i];

                pack_text(p, metric->name);
                pack_map(p, (metric->histogram ? 8u : 2u) + (metric->help != NULL));
                pack_entry_str(p, "kind", wire_word(kinds, metric->kind));
                if (metric->help)
                        pack_entry_text(p, "help", metric->help);
                if (metric->histogram)
                        write_histogram(p, metric->histogram);
                else
                        pack_entry_double(p, "value", metric->value);
        }
}
