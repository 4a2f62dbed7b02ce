/* The ops that change a project: project-limit, and project-set for everything else. */
#include "master/requests.h"

#include "base/clock.h"
#include "master/session.h"
#include "master/supervisor.h"
#include "wire/cursor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const double RATE_MAX = 1e9;

static void reply_limit(struct session *s, uint64_t seq, const struct project *p)
{
        struct wire_project_limit_reply reply = {0};
        char message[256];

        snprintf(message, sizeof(message), p->settings.limit ? "Project %s may run %u tasks at once" : "Project %s has no limit",
                p->name, p->settings.limit);
        WIRE_SET(&reply, project_limit_reply, message, wire_str(message));
        WIRE_SET(&reply, project_limit_reply, project_id, wire_str(p->name));
        WIRE_SET(&reply, project_limit_reply, limit, p->settings.limit);
        session_reply(s, WIRE_MESSAGE(project_limit_reply), seq, &reply);
}

/* What is set by hand holds across a restart: it is on disk before it holds, and before anybody is told. */
static int set(struct session *s, uint64_t seq, struct project *p, const struct project_settings *settings,
        enum waiter_kind kind, struct wire_refusal *why)
{
        struct waiter call = {.seq = seq, .kind = kind};
        struct durable *d = &s->supervisor->durable;
        int r;

        if (!d->on) {
                scheduler_project_set(&s->supervisor->scheduler, p, settings, clock_now());
                request_setting_done(s, p, &call);
                return 0;
        }
        r = durable_check(d, why);
        /* What was set before the restart is what this changes. */
        if (!r && d->loading)
                return peer_postpone(&s->peer), 0;
        return r ? r : request_no_memory(durable_setting(d, s, p, settings, &call), why);
}

int request_project_limit(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        const struct wire_project_limit *call = &body->project_limit;
        struct session *s = session_of(p);
        struct project_settings settings;
        struct project *project;
        int r = scheduler_project(&s->supervisor->scheduler, call->project_id, &project, why);

        if (r)
                return request_no_memory(r, why);
        settings = project->settings;
        settings.limit = (uint32_t)call->limit;
        return set(s, seq, project, &settings, WAITER_LIMIT, why);
}

/* ---- project-set ---- */

static double rate_of_text(struct bytes text)
{
        char copy[65];

        if (text.len >= sizeof(copy) || memchr(text.data, 0, text.len))
                return -1;
        snprintf(copy, sizeof(copy), "%.*s", (int)text.len, (const char *)text.data);
        return config_parse_rate(copy);
}

/* A number, or a string as in the configuration. */
static int read_rate(struct bytes value, double *out, struct wire_refusal *why)
{
        struct cursor c = cursor_over(value);
        struct wire_value v;
        double rate = -1;

        if (cursor_read(&c, &v))
                return wire_refuse(why, WIRE_INVALID_OPTION, "rateLimit cannot be read");
        if (v.tag == TAG_UINT)
                rate = (double)v.uint;
        else if (v.tag == TAG_FLOAT)
                rate = v.real;
        else if (v.tag == TAG_STR)
                rate = rate_of_text(v.bytes);
        if (!(rate >= 0 && rate <= RATE_MAX))
                return wire_refuse(why, WIRE_INVALID_OPTION,
                        "rateLimit must be tasks a second, or as in \"10/s\", \"30/m\" or \"100/h\"");
        *out = rate;
        return 0;
}

static int change_settings(struct project_settings *out, const struct wire_project_set *call, struct wire_refusal *why)
{
        if (WIRE_HAS(call, project_set, process_limit))
                out->limit = (uint32_t)call->process_limit;
        if (WIRE_HAS(call, project_set, max_queued))
                out->max_queued = (uint32_t)call->max_queued;
        if (WIRE_HAS(call, project_set, weight))
                out->weight = (uint32_t)call->weight;
        if (WIRE_HAS(call, project_set, max_priority))
                out->max_priority = (uint8_t)call->max_priority;
        if (WIRE_HAS(call, project_set, paused))
                out->paused = call->paused;
        return WIRE_HAS(call, project_set, rate_limit) ? read_rate(call->rate_limit, &out->rate, why) : 0;
}

/* "4" or "no". */
static const char *count_or_no(uint32_t n, char text[static 16])
{
        if (!n)
                return "no";
        snprintf(text, 16, "%" PRIu32, n);
        return text;
}

static void describe(const struct project *p, char *out, size_t size)
{
        const struct project_settings *s = &p->settings;
        char limit[16], queued[16], rate[32] = "no";

        if (s->rate > 0)
                snprintf(rate, sizeof(rate), "%g/s", s->rate);
        snprintf(out, size,
                "Project %s is %s: %s process limit, %s rate limit, %s queue limit, weight %" PRIu32 ", priority up to %d",
                p->name, s->paused ? "paused" : "open", count_or_no(s->limit, limit), rate,
                count_or_no(s->max_queued, queued), s->weight, s->max_priority);
}

static void reply_settings(struct session *session, uint64_t seq, const struct project *p)
{
        const struct project_settings *s = &p->settings;
        struct wire_project_set_reply reply = {0};
        char message[512];

        describe(p, message, sizeof(message));
        WIRE_SET(&reply, project_set_reply, message, wire_str(message));
        WIRE_SET(&reply, project_set_reply, project_id, wire_str(p->name));
        WIRE_SET(&reply, project_set_reply, process_limit, s->limit);
        WIRE_SET(&reply, project_set_reply, rate_limit, s->rate);
        WIRE_SET(&reply, project_set_reply, max_queued, s->max_queued);
        WIRE_SET(&reply, project_set_reply, weight, s->weight);
        WIRE_SET(&reply, project_set_reply, max_priority, s->max_priority);
        WIRE_SET(&reply, project_set_reply, paused, s->paused);
        session_reply(session, WIRE_MESSAGE(project_set_reply), seq, &reply);
}

void request_setting_done(struct session *s, const struct project *p, const struct waiter *call)
{
        if (call->kind == WAITER_LIMIT)
                reply_limit(s, call->seq, p);
        else
                reply_settings(s, call->seq, p);
}

int request_project_set(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        const struct wire_project_set *call = &body->project_set;
        struct session *s = session_of(p);
        struct project_settings settings;
        struct project *project;
        int r = scheduler_project(&s->supervisor->scheduler, call->project_id, &project, why);

        if (r)
                return request_no_memory(r, why);
        settings = project->settings;
        r = change_settings(&settings, call, why);
        if (r)
                return r;
        return set(s, seq, project, &settings, WAITER_SETTINGS, why);
}
