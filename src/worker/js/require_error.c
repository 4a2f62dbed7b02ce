/* The mark is under a hidden key, so that no task can make one; `code` is what packages look at that can do
 * without a module. */
#include "worker/js/require_error.h"

#include "worker/js/text.h"

#define HIDDEN_CODE DUK_HIDDEN_SYMBOL("code")

enum wire_code require_code(duk_context *ctx, enum wire_code other)
{
        enum wire_code code = other;

        if (!duk_is_error(ctx, -1))
                return other;
        if (duk_get_prop_literal(ctx, -1, HIDDEN_CODE))
                code = (enum wire_code)duk_get_int(ctx, -1);
        duk_pop(ctx);
        return code;
}

void require_mark(duk_context *ctx, enum wire_code code)
{
        duk_push_int(ctx, code);
        duk_put_prop_literal(ctx, -2, HIDDEN_CODE);
        duk_push_string(ctx, wire_codes[code].name);
        duk_put_prop_literal(ctx, -2, "code");
}

void require_throw_marked(duk_context *ctx, enum wire_code code)
{
        require_mark(ctx, code);
        (void)duk_throw(ctx);
        __builtin_unreachable();
}

/* Pushes " (required by FILE:LINE)" for the call of require() that is being made; nothing for a task's. */
static void push_caller(duk_context *ctx)
{
        const char *file;
        int line;

        duk_inspect_callstack_entry(ctx, -2);
        if (!duk_is_object(ctx, -1)) {
                duk_pop(ctx);
                duk_push_literal(ctx, "");
                return;
        }
        duk_get_prop_literal(ctx, -1, "lineNumber");
        line = duk_get_int(ctx, -1);
        duk_get_prop_literal(ctx, -2, "function");
        duk_get_prop_literal(ctx, -1, "fileName");
        file = duk_get_string(ctx, -1);
        duk_push_sprintf(ctx, " (required by %s:%d)", file ? file : "?", line);
        duk_replace(ctx, -5);
        duk_pop_3(ctx);
}

/* The reason is no text of the engine's: it comes from the loader, and is there until a getter of the
 * caller's asks for another module. So it is taken first. */
void require_throw_unavailable(duk_context *ctx, enum wire_code code, struct bytes name, struct bytes reason)
{
        text_push(ctx, reason);
        duk_push_literal(ctx, "cannot find module \"");
        text_push(ctx, name);
        duk_push_literal(ctx, "\"");
        push_caller(ctx);
        duk_push_literal(ctx, ": ");
        duk_dup(ctx, -6);
        duk_concat(ctx, 6);
        duk_push_error_object(ctx, DUK_ERR_ERROR, "%s", "");
        duk_swap_top(ctx, -2);
        duk_put_prop_literal(ctx, -2, "message");
        require_throw_marked(ctx, code);
}
