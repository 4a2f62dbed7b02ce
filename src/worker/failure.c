/*
 * An Error gives its name, message and stack. Anything else gives its text as the message and itself as `data`.
 * The engine's stacks name its own C files and the attributes of each call: those lines and words are taken out.
 */
#include "worker/failure.h"

#include "worker/text.h"
#include "worker/value_out.h"

#include <string.h>

static const char cut_mark[] = "...";

/* Appends what fits; a text that was cut says so. */
static void append_cut(struct buf *out, struct bytes s)
{
        if (!text_append(out, s))
                return;
        s.len = text_cut(s, (out->limit - buf_size(out) - sizeof(cut_mark)) / 3);
        if (!text_append(out, s))
                buf_append(out, cut_mark, sizeof(cut_mark) - 1);
}

/* Pushes a property if it is a string. */
static bool push_string_property(duk_context *ctx, const char *key)
{
        duk_get_prop_string(ctx, -1, key);
        if (duk_is_string(ctx, -1) && !duk_is_symbol(ctx, -1))
                return true;
        duk_pop(ctx);
        return false;
}

static void take_property(duk_context *ctx, const char *key, struct buf *out)
{
        if (!push_string_property(ctx, key))
                return;
        append_cut(out, text_at(ctx, -1));
        duk_pop(ctx);
}

/* ---- stacks ---- */

static const char frame_mark[] = "    at ";

static bool starts_with(struct bytes s, const char *text)
{
        size_t n = strlen(text);

        return s.len >= n && !memcmp(s.data, text, n);
}

static bool ends_with(struct bytes s, const char *text)
{
        size_t n = strlen(text);

        return s.len >= n && !memcmp(s.data + s.len - n, text, n);
}

static bool contains(struct bytes s, const char *text)
{
        return memmem(s.data, s.len, text, strlen(text)) != NULL;
}

/* A frame of the engine's own, or of the worker's: of no use to the one who wrote the task. */
static bool is_inner_frame(struct bytes line)
{
        if (ends_with(line, " internal") && !contains(line, "(task.js:"))
                return true;
        return starts_with(line, "    at [anon] () native");
}

/* "    at f (task.js:3) strict preventsyield" up to the parenthesis; "    at map () native ..." gets its word inside. */
static void append_frame(struct buf *out, struct bytes line)
{
        const uint8_t *close = memrchr(line.data, ')', line.len);

        if (!close) {
                append_cut(out, line);
        } else if (close[-1] == '(') {
                append_cut(out, (struct bytes){line.data, (size_t)(close - line.data)});
                append_cut(out, (struct bytes){(const uint8_t *)"native)", 7});
        } else {
                append_cut(out, (struct bytes){line.data, (size_t)(close - line.data) + 1});
        }
}

static void append_stack(struct buf *out, struct bytes stack)
{
        const uint8_t *at = stack.data, *end = stack.data + stack.len;

        while (at < end) {
                const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
                struct bytes line = {at, (size_t)((stop ? stop : end) - at)};
                bool is_frame = starts_with(line, frame_mark);

                at = stop ? stop + 1 : end;
                if (is_frame && is_inner_frame(line))
                        continue;
                if (buf_size(out))
                        append_cut(out, (struct bytes){(const uint8_t *)"\n", 1});
                if (is_frame)
                        append_frame(out, line);
                else
                        append_cut(out, line);
        }
}

/* ---- thrown values ---- */

static void describe_error(duk_context *ctx, struct outcome *out)
{
        take_property(ctx, "name", &out->name);
        take_property(ctx, "message", &out->message);
        if (push_string_property(ctx, "stack")) {
                append_stack(&out->stack, text_at(ctx, -1));
                duk_pop(ctx);
        }
}

static duk_ret_t write_data(duk_context *ctx, void *udata)
{
        struct outcome *out = udata;
        struct wire_refusal why;
        struct pack p;

        pack_init(&p, &out->value);
        if (value_write(ctx, -1, &p, &why))
                return duk_error(ctx, DUK_ERR_ERROR, "%s", why.message);
        return 0;
}

static void describe_other(duk_context *ctx, struct outcome *out)
{
        size_t mark = out->value.len;

        duk_dup_top(ctx);
        if (duk_safe_call(ctx, write_data, out, 1, 1) != DUK_EXEC_SUCCESS) {
                /* Data is a courtesy: a value that cannot be carried over goes without. */
                memset(out->value.data + mark, 0, out->value.len - mark);
                out->value.len = mark;
        }
        duk_pop(ctx);
        if (duk_is_symbol(ctx, -1)) {
                append_cut(&out->message, wire_str("a symbol was thrown"));
                return;
        }
        duk_to_string(ctx, -1);
        append_cut(&out->message, text_at(ctx, -1));
}

static duk_ret_t describe(duk_context *ctx, void *udata)
{
        if (duk_is_error(ctx, -1))
                describe_error(ctx, udata);
        else
                describe_other(ctx, udata);
        return 0;
}

void failure_describe(duk_context *ctx, enum wire_code code, struct outcome *out)
{
        outcome_fail(out, code, "%s", "");
        if (duk_safe_call(ctx, describe, out, 1, 1) != DUK_EXEC_SUCCESS && !buf_size(&out->message))
                outcome_fail(out, code, "a value was thrown that cannot be described: its own toString or a getter throws");
        duk_pop(ctx);
}
