/*
 * A line is made in a scratch buffer first, which may run the task's code, and is then taken into the logs at
 * once: a deadline that jumps out of here leaves no half entry.
 */
#include "worker/js/console.h"

#include "base/clock.h"
#include "worker/js/inspect.h"
#include "worker/live.h"
#include "worker/js/text.h"

#include <math.h>
#include <string.h>

static const char *const levels[] = {"log", "info", "debug", "warn", "error"};

static struct {
        struct outcome *out;
        size_t max_bytes;
        int64_t started_ns;
} console;

void console_begin(struct outcome *out, size_t max_bytes, int64_t started_ns)
{
        console.out = out;
        console.max_bytes = max_bytes;
        console.started_ns = started_ns;
}

/* Pushes the argument as the conversion wants it; false for a letter that is no conversion. */
static bool push_converted(duk_context *ctx, char letter, duk_idx_t arg)
{
        double n;

        switch (letter) {
        case 's':
        case 'o':
        case 'O':
                duk_dup(ctx, arg);
                return true;
        case 'd':
        case 'i':
        case 'f':
                n = duk_is_symbol(ctx, arg) ? NAN : duk_to_number(ctx, arg);
                duk_push_number(ctx, letter == 'i' ? trunc(n) : n);
                return true;
        case 'j':
                duk_dup(ctx, arg);
                duk_json_encode(ctx, -1);
                return true;
        default:
                return false;
        }
}

/* Writes the format in argument 0 and returns the first argument that it did not use. */
static duk_idx_t write_format(struct inspector *in, duk_idx_t n_args)
{
        struct bytes f = text_at(in->ctx, 0);
        duk_idx_t arg = 1;
        size_t from = 0;

        for (size_t i = 0; i + 1 < f.len && !in->full; i++) {
                if (f.data[i] != '%' || (f.data[i + 1] != '%' && arg == n_args))
                        continue;
                if (f.data[i + 1] == '%') {
                        inspect_text(in, (struct bytes){f.data + from, i + 1 - from});
                } else if (push_converted(in->ctx, (char)f.data[i + 1], arg)) {
                        inspect_text(in, (struct bytes){f.data + from, i - from});
                        inspect_append(in, -1);
                        duk_pop(in->ctx);
                        arg++;
                } else {
                        continue;
                }
                from = ++i + 1;
        }
        inspect_text(in, (struct bytes){f.data + from, f.len - from});
        return arg;
}

static duk_ret_t write_line(duk_context *ctx, void *udata)
{
        struct inspector *in = udata;
        duk_idx_t arg = 0, n_args = duk_get_top(ctx);

        if (n_args > 1 && duk_is_string(ctx, 0) && !duk_is_symbol(ctx, 0))
                arg = write_format(in, n_args);
        for (; arg < n_args; arg++) {
                if (arg)
                        inspect_text(in, wire_str(" "));
                inspect_append(in, arg);
        }
        return 0;
}

static size_t room(const struct outcome *o)
{
        size_t used = buf_size(&o->logs) + OUTCOME_LINE_BYTES;

        return used < console.max_bytes ? console.max_bytes - used : 0;
}

/* What is shown may log in its turn (a proxy's trap does): each line has its own part of the scratch, from
 * `mark` on. */
static duk_ret_t js_write(duk_context *ctx)
{
        struct outcome *o = console.out;
        const char *level = levels[duk_get_current_magic(ctx)];
        struct inspector in = {.ctx = ctx, .out = &o->line};
        size_t mark = o->line.len, len;
        duk_int_t thrown;

        if (o->truncated || room(o) <= mark) {
                o->truncated = true;
                return 0;
        }
        o->line.limit = room(o);
        thrown = duk_safe_call(ctx, write_line, &in, 0, 1);
        len = o->line.len - mark;
        if (len > room(o))
                o->truncated = true;
        else if (!thrown)
                outcome_log(o, level, (struct bytes){o->line.data + mark, len}, clock_now() - console.started_ns);
        o->truncated |= in.full;
        live_send();
        memset(o->line.data + mark, 0, len);
        o->line.len = mark;
        return thrown ? duk_throw(ctx) : 0;
}

void console_install(duk_context *ctx)
{
        duk_push_object(ctx);
        for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
                duk_push_c_function(ctx, js_write, DUK_VARARGS);
                duk_set_magic(ctx, -1, (duk_int_t)i);
                duk_put_prop_string(ctx, -2, levels[i]);
        }
        duk_put_global_literal(ctx, "console");
}
