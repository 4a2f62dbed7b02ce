/* Both directions, field by field. */
#include "master/stored.h"

#include "base/clock.h"
#include "base/error.h"
#include "master/task_types.h"
#include "wire/codec.h"
#include "wire/cursor.h"
#include "wire/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BAD_ROW = 1, ATTEMPTS_MAX = 2000 };

static uint64_t wall_of(int64_t at, int64_t now)
{
        int64_t wall = clock_wall_ms(), ms = (at - now) / NS_PER_MS;

        return wall + ms > 0 ? (uint64_t)(wall + ms) : 1;
}

/* The monotonic time of a time of day; what is over is a moment ago. */
static int64_t mono_of(uint64_t wall, int64_t now)
{
        int64_t ms = (int64_t)wall - clock_wall_ms();

        if (ms >= (INT64_MAX - now) / NS_PER_MS)
                return INT64_MAX - 1;
        return now + ms * NS_PER_MS;
}

/* Parts are written one behind the other; the buffer may move meanwhile, so they are taken when all are there. */
struct part {
        size_t at, len;
};

static struct bytes part_bytes(const struct buf *b, struct part p)
{
        return (struct bytes){buf_head(b) + p.at, p.len};
}

static int write_part(struct buf *b, struct part *p, const struct wire_message *m, const void *body)
{
        int r;

        p->at = buf_size(b);
        r = wire_encode_map(b, m, body);
        p->len = buf_size(b) - p->at;
        return r;
}

/* ---- writing ---- */

static struct wire_stored_options options_of(const struct task *t, int64_t now)
{
        const struct task_extra *e = t->extra;
        struct wire_stored_options o = {0};

        WIRE_SET(&o, stored_options, type, wire_str(t->type->name));
        WIRE_SET(&o, stored_options, created_at, (uint64_t)t->created_wall);
        WIRE_SET(&o, stored_options, timeout, (uint64_t)(t->timeout / NS_PER_MS));
        WIRE_SET(&o, stored_options, max_attempts, t->max_attempts);
        WIRE_SET(&o, stored_options, retry_delay, (uint64_t)(t->retry_delay / NS_PER_MS));
        WIRE_SET(&o, stored_options, result_ttl, (uint64_t)(t->result_ttl / NS_PER_MS));
        WIRE_SET(&o, stored_options, isolation, t->isolation);
        if (t->start_deadline)
                WIRE_SET(&o, stored_options, start_by, wall_of(t->start_deadline, now));
        if (e && e->key.len)
                WIRE_SET(&o, stored_options, key, e->key);
        if (e && e->traceparent.len)
                WIRE_SET(&o, stored_options, traceparent, e->traceparent);
        if (e && e->meta.len)
                WIRE_SET(&o, stored_options, meta, e->meta);
        return o;
}

static struct wire_stored_attempt attempt_of(const struct task_attempt *a)
{
        struct wire_stored_attempt w = {0};

        WIRE_SET(&w, stored_attempt, worker, a->worker);
        WIRE_SET(&w, stored_attempt, pid, (uint64_t)a->pid);
        WIRE_SET(&w, stored_attempt, started_at, (uint64_t)a->started_wall);
        if (a->ended_wall)
                WIRE_SET(&w, stored_attempt, ended_at, (uint64_t)a->ended_wall);
        if (a->outcome != WIRE_OK)
                WIRE_SET(&w, stored_attempt, outcome, wire_str(wire_codes[a->outcome].name));
        if (a->signal)
                WIRE_SET(&w, stored_attempt, signal, a->signal);
        if (a->killed_worker)
                WIRE_SET(&w, stored_attempt, killed, true);
        if (a->lost)
                WIRE_SET(&w, stored_attempt, lost, true);
        if (a->claimed)
                WIRE_SET(&w, stored_attempt, claimed, true);
        return w;
}

/* The first n of a task's attempts, and one more; NULL: none. */
static int write_entries(
        struct buf *b, struct part *part, const struct task *t, unsigned int n, const struct task_attempt *more)
{
        struct pack p;
        int r;

        part->at = buf_size(b);
        pack_init(&p, b);
        pack_array(&p, n + (more != NULL));
        r = p.error;
        for (unsigned int i = 0; !r && i < n + (more != NULL); i++) {
                struct wire_stored_attempt w = attempt_of(i < n ? &t->attempts[i] : more);

                r = wire_encode_map(b, WIRE_MESSAGE(stored_attempt), &w);
        }
        part->len = buf_size(b) - part->at;
        return r;
}

static int write_ledger(struct buf *b, struct part *part, const struct task *t)
{
        return write_entries(b, part, t, t->n_attempts, NULL);
}

static struct wire_stored_outcome outcome_of(const struct task *t)
{
        const struct task_outcome *o = t->outcome;
        struct wire_stored_outcome w = {0};

        WIRE_SET(&w, stored_outcome, run_ns, o && o->run_ns > 0 ? (uint64_t)o->run_ns : 0);
        WIRE_SET(&w, stored_outcome, cpu_ns, o && o->cpu_ns > 0 ? (uint64_t)o->cpu_ns : 0);
        WIRE_SET(&w, stored_outcome, max_memory_bytes, o && o->max_memory_bytes <= INT64_MAX ? o->max_memory_bytes : 0);
        WIRE_SET(&w, stored_outcome, waited_ns, t->waited > 0 ? (uint64_t)t->waited : 0);
        if (!o)
                return w;
        if (o->code != WIRE_OK)
                WIRE_SET(&w, stored_outcome, code, wire_str(wire_codes[o->code].name));
        if (o->value.len)
                WIRE_SET(&w, stored_outcome, value, o->value);
        if (o->error.len)
                WIRE_SET(&w, stored_outcome, error, o->error);
        if (o->logs.len)
                WIRE_SET(&w, stored_outcome, logs, o->logs);
        if (o->timings.len)
                WIRE_SET(&w, stored_outcome, timings, o->timings);
        if (o->isolation.len)
                WIRE_SET(&w, stored_outcome, isolation, o->isolation);
        if (o->truncated)
                WIRE_SET(&w, stored_outcome, truncated, true);
        return w;
}

static void empty(struct buf *scratch)
{
        buf_consume(scratch, buf_size(scratch));
}

int stored_accept(struct buf *scratch, const struct task *t, struct wire_store_accept *out)
{
        int64_t now = clock_now();
        struct wire_stored_options options = options_of(t, now);
        struct part part;
        int r;

        empty(scratch);
        r = write_part(scratch, &part, WIRE_MESSAGE(stored_options), &options);
        WIRE_SET(out, store_accept, place, t->place);
        WIRE_SET(out, store_accept, id, (struct bytes){t->id.bytes, sizeof(t->id.bytes)});
        WIRE_SET(out, store_accept, project, (struct bytes){(const uint8_t *)t->project->name, t->project->name_len});
        WIRE_SET(out, store_accept, priority, t->priority);
        WIRE_SET(out, store_accept, not_before, t->not_before > now ? wall_of(t->not_before, now) : 0);
        WIRE_SET(out, store_accept, options, part_bytes(scratch, part));
        WIRE_SET(out, store_accept, task, t->payload);
        return r;
}

static int write_begun(struct buf *scratch, const struct task *t, unsigned int n, const struct task_attempt *begun,
        struct wire_store_attempt *out)
{
        struct part part;
        int r;

        empty(scratch);
        r = write_entries(scratch, &part, t, n, begun);
        WIRE_SET(out, store_attempt, place, t->place);
        WIRE_SET(out, store_attempt, lease_until, 0);
        WIRE_SET(out, store_attempt, attempts, part_bytes(scratch, part));
        return r;
}

/* It may be sent again when the attempt is over already, of which this change knows nothing. */
int stored_attempt(struct buf *scratch, const struct task *t, struct wire_store_attempt *out)
{
        unsigned int before = t->n_attempts ? t->n_attempts - 1u : 0;
        struct task_attempt begun = {0};

        if (!t->n_attempts)
                return write_begun(scratch, t, 0, NULL, out);
        begun.worker = t->attempts[before].worker;
        begun.pid = t->attempts[before].pid;
        begun.started_wall = t->attempts[before].started_wall;
        return write_begun(scratch, t, before, &begun, out);
}

int stored_claim(struct buf *scratch, const struct task *t, struct wire_store_attempt *out)
{
        const struct task_attempt claimed = {.started_wall = clock_wall_ms(), .claimed = true};

        return write_begun(scratch, t, t->n_attempts, &claimed, out);
}

/* What both ends of an attempt leave: the ledger, and how the last one ended. */
static int write_past(struct buf *scratch, const struct task *t, struct part *ledger, struct part *outcome)
{
        struct wire_stored_outcome last = outcome_of(t);
        int r;

        empty(scratch);
        r = write_ledger(scratch, ledger, t);
        return r ? r : write_part(scratch, outcome, WIRE_MESSAGE(stored_outcome), &last);
}

int stored_release(struct buf *scratch, const struct task *t, struct wire_store_release *out)
{
        int64_t now = clock_now();
        struct part ledger, outcome;
        int r = write_past(scratch, t, &ledger, &outcome);

        if (r)
                return r;
        WIRE_SET(out, store_release, place, t->place);
        WIRE_SET(out, store_release, not_before, t->not_before > now ? wall_of(t->not_before, now) : 0);
        WIRE_SET(out, store_release, attempts, part_bytes(scratch, ledger));
        if (t->outcome)
                WIRE_SET(out, store_release, outcome, part_bytes(scratch, outcome));
        return 0;
}

int stored_end(struct buf *scratch, const struct task *t, enum task_state state, struct wire_store_end *out)
{
        uint64_t wall = (uint64_t)clock_wall_ms(), ttl = (uint64_t)(t->result_ttl / NS_PER_MS);
        struct part ledger, outcome;
        int r = write_past(scratch, t, &ledger, &outcome);

        if (r)
                return r;
        WIRE_SET(out, store_end, place, t->place);
        WIRE_SET(out, store_end, state, (uint64_t)(state - TASK_SUCCEEDED));
        WIRE_SET(out, store_end, ended_at, wall);
        WIRE_SET(out, store_end, expires_at, ttl ? wall + ttl : 0);
        WIRE_SET(out, store_end, attempts, part_bytes(scratch, ledger));
        WIRE_SET(out, store_end, outcome, part_bytes(scratch, outcome));
        return 0;
}

/* ---- reading ---- */

static int read_options(struct task *t, struct bytes map, struct stored_more *more, int64_t now)
{
        struct wire_stored_options o;
        struct wire_refusal why;
        struct task_extra *e;

        if (wire_decode(WIRE_MESSAGE(stored_options), map, &o, &why))
                return BAD_ROW;
        more->type = o.type;
        t->created_wall = (int64_t)o.created_at;
        t->timeout = (int64_t)o.timeout * NS_PER_MS;
        t->max_attempts = (uint16_t)o.max_attempts;
        t->retry_delay = (int64_t)o.retry_delay * NS_PER_MS;
        t->result_ttl = (int64_t)o.result_ttl * NS_PER_MS;
        t->isolation = (uint8_t)o.isolation;
        if (WIRE_HAS(&o, stored_options, start_by))
                t->start_deadline = mono_of(o.start_by, now);
        if (!o.key.len && !o.meta.len && !o.traceparent.len)
                return 0;
        e = task_extra(t);
        if (!e)
                return error_origin(-ENOMEM);
        e->key = bytes_dup(o.key);
        e->meta = bytes_dup(o.meta);
        e->traceparent = bytes_dup(o.traceparent);
        return e->key.len == o.key.len && e->meta.len == o.meta.len && e->traceparent.len == o.traceparent.len ?
                0 : error_origin(-ENOMEM);
}

static void take_attempt(struct task *t, const struct wire_stored_attempt *w)
{
        struct task_attempt *a = &t->attempts[t->n_attempts++];

        *a = (struct task_attempt){.worker = (uint32_t)w->worker, .pid = (int32_t)w->pid,
                .started_wall = (int64_t)w->started_at, .ended_wall = (int64_t)w->ended_at, .killed_worker = w->killed,
                .lost = w->lost, .claimed = w->claimed, .signal = (uint8_t)w->signal,
                .outcome = (uint8_t)wire_code_find(w->outcome)};
        if (a->killed_worker && t->kills < UINT8_MAX)
                t->kills++;
}

static int read_ledger(struct task *t, struct bytes array)
{
        struct cursor c = cursor_over(array);
        struct wire_stored_attempt attempt;
        struct wire_refusal why;
        struct wire_value head;
        struct bytes one;

        if (!array.len)
                return 0;
        if (cursor_read(&c, &head) || head.tag != TAG_ARRAY || head.count > ATTEMPTS_MAX)
                return BAD_ROW;
        t->attempts = calloc(head.count ? head.count : 1, sizeof(*t->attempts));
        if (!t->attempts)
                return error_origin(-ENOMEM);
        for (uint32_t i = 0; i < head.count; i++) {
                if (cursor_skip(&c, &one) || wire_decode(WIRE_MESSAGE(stored_attempt), one, &attempt, &why))
                        return BAD_ROW;
                take_attempt(t, &attempt);
        }
        return 0;
}

static int read_outcome(struct task *t, struct bytes map, struct stored_more *more)
{
        struct wire_stored_outcome w;
        struct task_outcome *o;
        struct wire_refusal why;

        if (!map.len)
                return 0;
        if (wire_decode(WIRE_MESSAGE(stored_outcome), map, &w, &why))
                return BAD_ROW;
        o = task_outcome_reset(t);
        if (!o)
                return error_origin(-ENOMEM);
        t->waited = (int64_t)w.waited_ns;
        more->isolation = w.isolation;
        o->code = wire_code_find(w.code);
        o->value = bytes_dup(w.value);
        o->error = bytes_dup(w.error);
        o->logs = bytes_dup(w.logs);
        o->timings = bytes_dup(w.timings);
        o->truncated = w.truncated;
        o->run_ns = (int64_t)w.run_ns;
        o->cpu_ns = (int64_t)w.cpu_ns;
        o->max_memory_bytes = w.max_memory_bytes;
        return o->value.len == w.value.len && o->error.len == w.error.len && o->logs.len == w.logs.len &&
                        o->timings.len == w.timings.len ? 0 : error_origin(-ENOMEM);
}

/* How far it came is known to nobody any more. */
static void mark_lost(struct task *t)
{
        struct task_attempt *a = t->n_attempts ? &t->attempts[t->n_attempts - 1] : NULL;

        if (!a || a->ended_wall)
                return;
        a->lost = true;
        a->outcome = WIRE_WORKER_CRASHED;
        a->ended_wall = clock_wall_ms();
}

static int fill(struct task *t, const struct wire_store_row *row, struct stored_more *more)
{
        int64_t now = clock_now();
        int r;

        t->place = row->place;
        t->restored = t->durable = true;
        t->priority = (uint8_t)row->priority;
        t->generation = (uint32_t)row->fence + 1; /* a claim of this supervisor's */
        t->not_before = row->not_before ? mono_of(row->not_before, now) : 0;
        more->project = row->project;
        more->lost = row->state == 1;
        r = read_options(t, row->options, more, now);
        if (!r)
                r = read_ledger(t, row->attempts);
        if (!r)
                r = read_outcome(t, row->outcome, more);
        if (!r && more->lost)
                mark_lost(t);
        return r;
}

int stored_task(const struct wire_store_row *row, struct task **out, struct stored_more *more)
{
        struct bytes copy = bytes_dup(row->task);
        struct uuid id;
        struct task *t;
        int r;

        if (row->task.len && !copy.data)
                return error_origin(-ENOMEM);
        memcpy(id.bytes, row->id.data, sizeof(id.bytes));
        t = task_new(id, copy);
        if (!t)
                return error_origin(-ENOMEM);
        *more = (struct stored_more){0};
        r = fill(t, row, more);
        if (r)
                task_free(t);
        else
                *out = t;
        return r;
}

/* ---- a project's settings ---- */

int stored_settings(struct buf *scratch, const struct project_settings *settings, struct bytes *out)
{
        struct pack p;

        empty(scratch);
        pack_init(&p, scratch);
        pack_map(&p, 6);
        pack_entry_uint(&p, "limit", settings->limit);
        pack_entry_uint(&p, "maxQueued", settings->max_queued);
        pack_entry_uint(&p, "weight", settings->weight);
        pack_entry_uint(&p, "maxPriority", settings->max_priority);
        pack_entry_double(&p, "rate", settings->rate);
        pack_entry_bool(&p, "paused", settings->paused);
        *out = buf_bytes(scratch);
        return p.error;
}

static bool read_number(struct bytes map, const char *key, struct wire_value *out)
{
        struct bytes raw;
        struct cursor c;

        if (!wire_lookup(map, key, &raw))
                return false;
        c = cursor_over(raw);
        return !cursor_read(&c, out);
}

static bool read_uint(struct bytes map, const char *key, uint64_t max, uint64_t *out)
{
        struct wire_value v;

        if (!read_number(map, key, &v) || v.tag != TAG_UINT || v.uint > max)
                return false;
        *out = v.uint;
        return true;
}

int stored_read_settings(struct bytes map, struct project_settings *out)
{
        uint64_t limit, max_queued, weight, max_priority;
        struct wire_value rate, paused;

        if (!read_uint(map, "limit", 1000000, &limit) || !read_uint(map, "maxQueued", 100000000, &max_queued) ||
                !read_uint(map, "weight", PROJECT_WEIGHT_MAX, &weight) || !weight ||
                !read_uint(map, "maxPriority", TASK_PRIORITY_MAX, &max_priority) || !read_number(map, "rate", &rate) ||
                rate.tag != TAG_FLOAT || !(rate.real >= 0 && rate.real <= 1e9) || !read_number(map, "paused", &paused) ||
                paused.tag != TAG_BOOL)
                return BAD_ROW;
        out->limit = (uint32_t)limit;
        out->max_queued = (uint32_t)max_queued;
        out->weight = (uint32_t)weight;
        out->max_priority = (uint8_t)max_priority;
        out->rate = rate.real;
        out->paused = paused.boolean;
        return 0;
}
