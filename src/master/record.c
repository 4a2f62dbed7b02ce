/* Writes records. What came from workers is already encoded and is passed through as it is. */
#include "master/record.h"

#include "base/clock.h"
#include "base/error.h"
#include "master/project.h"
#include "master/task_types.h"
#include "wire/codec.h"

#include <errno.h>
#include <string.h>

static void write_identity(struct pack *p, const struct task *t)
{
        char id[UUID_TEXT + 1];

        uuid_format(&t->id, id);
        pack_entry_text(p, "id", id);
        pack_entry_text(p, "type", t->type->name);
        pack_entry_str(p, "projectId", (struct bytes){(const uint8_t *)t->project->name, t->project->name_len});
        pack_entry_uint(p, "priority", t->priority);
        pack_entry_text(p, "state", task_state_name(t->state));
        pack_entry_int(p, "createdAt", t->created_wall);
}

enum { IDENTITY_ENTRIES = 6 };

static void write_attempt(struct pack *p, const struct task_attempt *a, bool running)
{
        const char *signal = a->signal ? sigabbrev_np(a->signal) : NULL;

        pack_map(p, running ? 3 : 5u + a->killed_worker + a->lost + a->claimed + (signal != NULL));
        pack_entry_uint(p, "worker", a->worker);
        pack_entry_int(p, "pid", a->pid);
        pack_entry_int(p, "startedAt", a->started_wall);
        if (running)
                return;
        pack_entry_int(p, "endedAt", a->ended_wall);
        pack_entry_text(p, "outcome", a->outcome == WIRE_OK ? "succeeded" : wire_codes[a->outcome].name);
        if (a->killed_worker)
                pack_entry_bool(p, "killedWorker", true);
        if (a->lost)
                pack_entry_bool(p, "lost", true);
        if (a->claimed)
                pack_entry_bool(p, "claimed", true);
        if (signal)
                pack_entry_text(p, "signal", signal);
}

static void write_attempts(struct pack *p, const struct task *t)
{
        pack_text(p, "attempts");
        pack_array(p, t->n_attempts);
        for (unsigned int i = 0; i < t->n_attempts; i++)
                write_attempt(p, &t->attempts[i], t->state == TASK_RUNNING && i + 1u == t->n_attempts);
}

static uint32_t write_outcome(struct pack *p, const struct task_outcome *o)
{
        uint32_t n = 4;

        if (o->value.len) {
                pack_entry_raw(p, "value", o->value);
                n++;
        }
        if (o->error.len) {
                pack_entry_raw(p, "error", o->error);
                n++;
        }
        if (o->logs.len) {
                pack_entry_raw(p, "logs", o->logs);
                n++;
        }
        if (o->timings.len) {
                pack_entry_raw(p, "timings", o->timings);
                n++;
        }
        pack_entry_double(p, "runMs", (double)o->run_ns / NS_PER_MS);
        pack_entry_double(p, "cpuMs", (double)o->cpu_ns / NS_PER_MS);
        pack_entry_uint(p, "maxMemoryBytes", o->max_memory_bytes);
        pack_entry_bool(p, "truncated", o->truncated);
        return n;
}

static uint32_t write_layers(struct pack *p, struct bytes layers)
{
        if (!layers.len)
                return 0;
        pack_entry_raw(p, "isolation", layers);
        return 1;
}

static uint32_t write_extra(struct pack *p, const struct task_extra *e)
{
        uint32_t n = 0;

        if (e->key.len) {
                pack_entry_str(p, "key", e->key);
                n++;
        }
        if (e->meta.len) {
                pack_entry_raw(p, "meta", e->meta);
                n++;
        }
        if (e->traceparent.len) {
                pack_entry_str(p, "traceparent", e->traceparent);
                n++;
        }
        return n;
}

/* An attempt that nobody saw the end of was followed by another one. */
static bool may_have_run_twice(const struct task *t)
{
        for (unsigned int i = 0; i + 1u < t->n_attempts; i++)
                if (t->attempts[i].lost || t->attempts[i].killed_worker)
                        return true;
        return false;
}

int record_write(struct buf *out, const struct task *t)
{
        uint32_t n = IDENTITY_ENTRIES + 2;
        struct pack p;
        size_t mark;

        pack_init(&p, out);
        mark = pack_map_open(&p);
        write_identity(&p, t);
        pack_entry_double(&p, "queuedMs", (double)t->waited / NS_PER_MS);
        write_attempts(&p, t);
        if (may_have_run_twice(t)) {
                pack_entry_bool(&p, "possiblyRepeated", true);
                n++;
        }
        if (t->outcome && !t->ending) {
                n += write_outcome(&p, t->outcome);
                n += write_layers(&p, t->outcome->isolation);
        }
        if (t->extra)
                n += write_extra(&p, t->extra);
        pack_map_close(&p, mark, n);
        return p.error;
}

void record_write_line(struct pack *p, const struct task *t)
{
        bool has_code = task_ended(t) && t->outcome && t->outcome->code != WIRE_OK;

        pack_map(p, IDENTITY_ENTRIES + 1 + has_code);
        write_identity(p, t);
        pack_entry_uint(p, "attempts", t->n_attempts);
        if (has_code)
                pack_entry_text(p, "code", wire_codes[t->outcome->code].name);
}

struct bytes record_error(enum wire_code code, const char *message)
{
        struct wire_failure body = {0};
        struct buf out;

        buf_init(&out, 0);
        WIRE_SET(&body, failure, code, wire_str(wire_codes[code].name));
        WIRE_SET(&body, failure, message, wire_str(message));
        if (wire_encode_map(&out, WIRE_MESSAGE(failure), &body) < 0)
                buf_fini(&out);
        return buf_bytes(&out);
}
