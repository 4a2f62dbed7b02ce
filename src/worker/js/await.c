/* A promise and its two callbacks share a small state object: which of them was called first, and with what.
 */
#include "worker/js/await.h"

#include "worker/js/jobs.h"

#include <stdbool.h>

enum settled { PENDING, FULFILLED, REJECTED };

/* Called by the promise, once or more often: the first call counts. The state hangs on the function itself.
 */
static duk_ret_t js_settle(duk_context *ctx)
{
        duk_push_current_function(ctx);
        duk_get_prop_literal(ctx, -1, DUK_HIDDEN_SYMBOL("state"));
        duk_get_prop_index(ctx, -1, 0);
        if (duk_get_int(ctx, -1) != PENDING)
                return 0;
        duk_push_int(ctx, duk_get_current_magic(ctx));
        duk_put_prop_index(ctx, -3, 0);
        duk_dup(ctx, 0);
        duk_put_prop_index(ctx, -3, 1);
        return 0;
}

static void push_callback(duk_context *ctx, duk_idx_t state, enum settled how)
{
        duk_push_c_function(ctx, js_settle, 1);
        duk_set_magic(ctx, -1, how);
        duk_dup(ctx, state);
        duk_put_prop_literal(ctx, -2, DUK_HIDDEN_SYMBOL("state"));
}

/* An object without a prototype: nothing that the task did to Object.prototype reaches it. */
static duk_idx_t push_state(duk_context *ctx)
{
        duk_idx_t state = duk_push_bare_object(ctx);

        duk_push_int(ctx, PENDING);
        duk_put_prop_index(ctx, state, 0);
        return state;
}

/* Pushes `then` of the value at idx if it has one. */
static bool push_then(duk_context *ctx, duk_idx_t idx)
{
        if (!duk_is_object(ctx, idx))
                return false;
        duk_get_prop_literal(ctx, idx, "then");
        if (duk_is_callable(ctx, -1))
                return true;
        duk_pop(ctx);
        return false;
}

/* Waits for one promise, whose `then` is on top of it, and replaces both by the value. */
static void settle(duk_context *ctx)
{
        duk_idx_t promise = duk_normalize_index(ctx, -2), state = push_state(ctx);
        int how;

        duk_dup(ctx, -2);
        duk_dup(ctx, promise);
        push_callback(ctx, state, FULFILLED);
        push_callback(ctx, state, REJECTED);
        duk_call_method(ctx, 2);
        duk_pop(ctx);
        /* Here, and only here, a task waits. Whatever may run later is to be run before the state is looked
         * at. */
        jobs_run(ctx);
        duk_get_prop_index(ctx, state, 0);
        how = duk_get_int(ctx, -1);
        if (how == PENDING)
                (void)duk_error(ctx, DUK_ERR_ERROR,
                        "the promise is still pending and nothing is left to run that could "
                        "settle it");
        duk_get_prop_index(ctx, state, 1);
        if (how == REJECTED)
                (void)duk_throw(ctx);
        duk_replace(ctx, promise);
        duk_set_top(ctx, promise + 1);
}

void await_settled(duk_context *ctx)
{
        duk_require_stack(ctx, 10);
        while (push_then(ctx, duk_get_top_index(ctx)))
                settle(ctx);
}
