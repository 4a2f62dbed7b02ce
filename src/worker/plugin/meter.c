/* One slot a metric: what was added since it was sent last. */
#include "worker/plugin/meter.h"

#include "base/clock.h"

#include <math.h>

/* BACKLOG: of observations; they are written in lots, and no more than this waits. */
enum { BACKLOG = 64 * 1024 };

static const int64_t INTERVAL = NS_PER_S;

static struct {
        struct port *port;
        const struct plugin *plugin;
        struct slot {
                double value;
                bool changed, told; /* told: the master has its help text */
        } slots[PLUGIN_METRICS_MAX];
        int64_t next;
} meter;

void meter_open(struct port *port, const struct plugin *plugin)
{
        meter.port = port;
        meter.plugin = plugin;
}

static void send_value(unsigned int index, double value)
{
        const struct poppo_metric *m = &meter.plugin->code.metrics[index];
        struct slot *s = &meter.slots[index];
        struct wire_worker_metric body = {0};

        WIRE_SET(&body, worker_metric, name, wire_str(m->name));
        WIRE_SET(&body, worker_metric, kind, (uint64_t)m->kind);
        WIRE_SET(&body, worker_metric, value, value);
        if (m->help && !s->told)
                WIRE_SET(&body, worker_metric, help, wire_str(m->help));
        s->told = true;
        port_metric(meter.port, &body);
}

void meter_announce(void)
{
        for (unsigned int i = 0; i < meter.plugin->n_metrics; i++)
                if (meter.plugin->code.metrics[i].kind == POPPO_COUNTER)
                        send_value(i, 0);
        port_flush(meter.port);
}

bool meter_add(unsigned int index, double value)
{
        struct slot *s;

        if (index >= meter.plugin->n_metrics)
                return false;
        if (!isfinite(value))
                return true;
        s = &meter.slots[index];
        switch (meter.plugin->code.metrics[index].kind) {
        case POPPO_COUNTER:
                s->value += value > 0 ? value : 0;
                s->changed = true;
                break;
        case POPPO_GAUGE:
                s->value = value;
                s->changed = true;
                break;
        case POPPO_HISTOGRAM:
                send_value(index, value);
                if (port_backlog(meter.port) > BACKLOG)
                        port_flush(meter.port);
                break;
        }
        return true;
}

void meter_flush(void)
{
        for (unsigned int i = 0; i < meter.plugin->n_metrics; i++) {
                struct slot *s = &meter.slots[i];

                /* A sum of finite values need not be one. */
                if (s->changed && isfinite(s->value))
                        send_value(i, s->value);
                s->changed = false;
                s->value = 0;
        }
        port_flush(meter.port);
}

void meter_flush_if_due(int64_t now)
{
        if (now < meter.next)
                return;
        meter.next = now + INTERVAL;
        meter_flush();
}
