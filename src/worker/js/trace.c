/*
 * The engine's stacks name its own C files and the attributes of each call. The getter of
 * Error.prototype.stack is replaced by one that asks the engine's and takes those lines and words out, so
 * that whoever reads a stack, the task itself, its console or its failure, reads the same.
 */
#include "worker/js/trace.h"

#include "wire/message.h"
#include "worker/js/text.h"

#include <string.h>

/* Above this a stack is left as it is: a deadline waits for this code, and it must not wait long. */
enum { CLEANED_MAX = 1024 * 1024 };

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

/* A frame of the engine's own, or of the worker's: of no use to the one who wrote the task. The engine calls
 * its own C files so, "(duk_api.c:12) internal", and the file that it was compiling. */
static bool is_inner_frame(struct bytes line)
{
        if (ends_with(line, " internal"))
                return memmem(line.data, line.len, ".c:", 3) != NULL;
        return starts_with(line, "    at [anon] () native");
}

static uint8_t *put(uint8_t *out, struct bytes s)
{
        memcpy(out, s.data, s.len);
        return out + s.len;
}

/* "    at f (task.js:3) strict preventsyield" up to the parenthesis; "    at map () native ..." gets its word
 * inside. */
static uint8_t *put_frame(uint8_t *out, struct bytes line)
{
        const uint8_t *close = memrchr(line.data, ')', line.len);

        if (!close)
                return put(out, line);
        out = put(out, (struct bytes){line.data, (size_t)(close - line.data)});
        if (close[-1] == '(' &&
                starts_with((struct bytes){close, (size_t)(line.data + line.len - close)}, ") native"))
                out = put(out, wire_str("native"));
        return put(out, wire_str(")"));
}

/* Never longer than what came in: a word that moves into the parentheses was there before, with a blank. */
static uint8_t *put_cleaned(uint8_t *out, struct bytes stack)
{
        const uint8_t *at = stack.data, *end = stack.data + stack.len;
        const uint8_t *start = out;

        while (at < end) {
                const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
                struct bytes line = {at, (size_t)((stop ? stop : end) - at)};
                bool is_frame = starts_with(line, frame_mark);

                at = stop ? stop + 1 : end;
                if (is_frame && is_inner_frame(line))
                        continue;
                if (out > start)
                        *out++ = '\n';
                out = is_frame ? put_frame(out, line) : put(out, line);
        }
        return out;
}

static duk_ret_t js_stack(duk_context *ctx)
{
        struct bytes raw;
        uint8_t *start, *out;

        duk_push_current_function(ctx);
        duk_get_prop_literal(ctx, -1, DUK_HIDDEN_SYMBOL("getter"));
        duk_push_this(ctx);
        duk_call_method(ctx, 0);
        if (!duk_is_string(ctx, -1) || duk_is_symbol(ctx, -1))
                return 1;
        raw = text_at(ctx, -1);
        if (raw.len > CLEANED_MAX)
                return 1;
        start = duk_push_fixed_buffer(ctx, raw.len);
        out = put_cleaned(start, raw);
        duk_push_lstring(ctx, (const char *)start, (size_t)(out - start));
        return 1;
}

void trace_install(duk_context *ctx)
{
        duk_eval_string(ctx, "Error.prototype");
        duk_push_literal(ctx, "stack");
        duk_push_c_function(ctx, js_stack, 0);
        duk_eval_string(ctx, "Object.getOwnPropertyDescriptor(Error.prototype, 'stack').get");
        duk_put_prop_literal(ctx, -2, DUK_HIDDEN_SYMBOL("getter"));
        duk_def_prop(ctx, -3, DUK_DEFPROP_HAVE_GETTER | DUK_DEFPROP_FORCE);
        duk_pop(ctx);
}
