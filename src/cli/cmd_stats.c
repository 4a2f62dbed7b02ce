/* poppo stats: the pool's counts, and what handlers of one's own measure, one a line. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/document.h"
#include "cli/output.h"

#include <inttypes.h>
#include <stdio.h>

static void add_number(struct table *t, const char *name, const json_t *v)
{
        char text[64];

        if (json_is_integer(v))
                snprintf(text, sizeof(text), "%" PRId64, (int64_t)json_integer_value(v));
        else
                snprintf(text, sizeof(text), "%.2f", json_number_value(v));
        table_row(t, (const char *[]){name, text});
}

/* "resize.frames", and of a histogram its parts: "resize.seconds.count". */
static void add_metric(struct table *t, const char *type, const char *name, json_t *metric)
{
        static const char *const parts[] = {"value", "count", "sum", "min", "max", "p50", "p90", "p99"};
        char label[192];

        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
                const json_t *v = json_object_get(metric, parts[i]);

                snprintf(label, sizeof(label), i ? "%s.%s.%s" : "%s.%s", type, name, parts[i]);
                if (v)
                        add_number(t, label, v);
        }
}

static void add_metrics(struct table *t, json_t *metrics)
{
        const char *type, *name;
        json_t *of_type, *metric;

        json_object_foreach(metrics, type, of_type)
                json_object_foreach(of_type, name, metric)
                        add_metric(t, type, name, metric);
}

static void print_stats(struct poppo_reply *reply)
{
        CLEANUP(cleanup_json) json_t *body = json_loads(poppo_reply_json(reply, ""), 0, NULL);
        struct table *t = table_new(2);
        const char *name;
        json_t *v;

        json_object_foreach(json_object_get(body, "totals"), name, v)
                add_number(t, name, v);
        add_number(t, "load", json_object_get(body, "load"));
        add_number(t, "uptime", json_object_get(body, "uptime"));
        add_metrics(t, json_object_get(body, "metrics"));
        table_print(t, 1u << 1);
        table_free(t);
}

int cmd_stats(struct cli *cli)
{
        struct poppo_reply *reply = NULL;
        int r = poppo_stats(cli->poppo, &reply);

        return output_reply(cli, r, reply, print_stats);
}
