/* An Error gives its name, message and stack. Anything else gives its text as the message and itself as
 * `data`. */
#include "worker/js/failure.h"

#include "worker/js/require_error.h"
#include "worker/js/text.h"
#include "worker/js/value_out.h"

#include <string.h>

static const char cut_mark[] = "...";

/* Appends what fits; a text that was cut says so. */
static void append_cut(struct buf *out, struct bytes s)
{
        const size_t limit = out->limit;

        if (!text_append(out, s))
                return;
        out->limit -= sizeof(cut_mark);
        text_append_part(out, s);
        out->limit = limit;
        buf_append(out, cut_mark, sizeof(cut_mark) - 1);
}

/* Takes a property if it is a string. */
static void take_property(duk_context *ctx, const char *key, struct buf *out)
{
        duk_get_prop_string(ctx, -1, key);
        if (duk_is_string(ctx, -1) && !duk_is_symbol(ctx, -1))
                append_cut(out, text_at(ctx, -1));
        duk_pop(ctx);
}

static void describe_error(duk_context *ctx, struct outcome *out)
{
        take_property(ctx, "name", &out->name);
        take_property(ctx, "message", &out->message);
        take_property(ctx, "stack", &out->stack);
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
        struct outcome *out = udata;

        out->code = require_code(ctx, out->code);
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
                outcome_fail(out, code,
                        "a value was thrown that cannot be described: its own toString or a getter throws");
        duk_pop(ctx);
}
