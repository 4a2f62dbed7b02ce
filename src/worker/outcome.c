/* The buffers of an attempt. Each is mapped on its own (worker.c sets malloc's threshold), so that growing
 * leaves no copy. */
#include "worker/outcome.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "wire/pack.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_BYTES = 64 * 1024, NAME_MAX_BYTES = 1024, TEXT_MAX_BYTES = 64 * 1024, LIST_HEAD = 5 };

static int prepare(struct buf *b, size_t limit)
{
        buf_init(b, limit);
        return buf_reserve(b, limit < FIRST_BYTES ? limit : FIRST_BYTES);
}

int outcome_init(struct outcome *o, const struct wire_spawn_setup *setup)
{
        const struct {
                struct buf *b;
                size_t limit;
        } buffers[] = {
                {&o->value, setup->max_result_bytes},
                {&o->name, NAME_MAX_BYTES},
                {&o->message, TEXT_MAX_BYTES},
                {&o->stack, TEXT_MAX_BYTES},
                {&o->logs, setup->max_log_bytes + 1},
                {&o->line, setup->max_log_bytes + 1},
        };

        *o = (struct outcome){.code = WIRE_OK};
        for (size_t i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
                int r = prepare(buffers[i].b, buffers[i].limit);

                if (r < 0)
                        return r;
        }
        return 0;
}

static void empty(struct buf *b)
{
        memset(b->data, 0, b->len);
        b->len = 0;
}

static void drop_result(struct outcome *o)
{
        empty(&o->value);
        empty(&o->name);
        empty(&o->message);
        empty(&o->stack);
}

void outcome_reset(struct outcome *o)
{
        drop_result(o);
        empty(&o->logs);
        empty(&o->line);
        o->code = WIRE_OK;
        o->n_logs = 0;
        o->truncated = false;
}

void outcome_fail(struct outcome *o, enum wire_code code, const char *format, ...)
{
        char text[256];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        utf8_repair(text);
        drop_result(o);
        o->code = code;
        buf_append(&o->message, text, strlen(text));
}

void outcome_log(struct outcome *o, const char *level, struct bytes text, int64_t at_ns)
{
        struct pack p;

        if (o->truncated || buf_size(&o->logs) + text.len + OUTCOME_LINE_BYTES >= o->logs.limit) {
                o->truncated = true;
                return;
        }
        pack_init(&p, &o->logs);
        pack_map(&p, 3);
        pack_entry_text(&p, "level", level);
        pack_entry_str(&p, "text", text);
        pack_entry_uint(&p, "at", (uint64_t)(at_ns / NS_PER_MS));
        o->n_logs++;
}

static void fill_failure(const struct outcome *o, struct wire_failure *f)
{
        WIRE_SET(f, failure, code, wire_str(wire_codes[o->code].name));
        WIRE_SET(f, failure, message, buf_bytes(&o->message));
        if (buf_size(&o->name))
                WIRE_SET(f, failure, name, buf_bytes(&o->name));
        if (buf_size(&o->stack))
                WIRE_SET(f, failure, stack, buf_bytes(&o->stack));
        if (buf_size(&o->value))
                WIRE_SET(f, failure, data, buf_bytes(&o->value));
}

static int fill_logs(const struct outcome *o, struct buf *list, struct wire_worker_run_reply *reply)
{
        struct pack p;

        pack_init(&p, list);
        pack_array(&p, o->n_logs);
        pack_raw(&p, buf_bytes(&o->logs));
        if (p.error)
                return p.error;
        WIRE_SET(reply, worker_run_reply, logs, buf_bytes(list));
        if (o->truncated)
                WIRE_SET(reply, worker_run_reply, truncated, true);
        return 0;
}

int outcome_reply(const struct outcome *o, struct buf *list, struct wire_worker_run_reply *reply)
{
        *reply = (struct wire_worker_run_reply){0};
        WIRE_SET(reply, worker_run_reply, cpu_us, o->cpu_us);
        WIRE_SET(reply, worker_run_reply, max_memory_bytes, o->peak_bytes);
        if (o->code == WIRE_OK) {
                WIRE_SET(reply, worker_run_reply, value, buf_bytes(&o->value));
        } else {
                fill_failure(o, &reply->error);
                reply->has |= 1u << WIRE_AT_worker_run_reply_error;
        }
        return o->n_logs || o->truncated ? fill_logs(o, list, reply) : 0;
}
