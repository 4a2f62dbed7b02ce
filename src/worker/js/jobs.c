/* The queue is an array in the stash, each entry an array of a function and its arguments. */
#include "worker/js/jobs.h"

static const char queue_key[] = "jobs";

/* Pushes the queue; a world without one gets it. */
static void push_queue(duk_context *ctx)
{
        duk_push_global_stash(ctx);
        if (!duk_get_prop_string(ctx, -1, queue_key)) {
                duk_pop(ctx);
                duk_push_bare_array(ctx);
                duk_dup_top(ctx);
                duk_put_prop_string(ctx, -3, queue_key);
        }
        duk_remove(ctx, -2);
}

static duk_ret_t js_next_tick(duk_context *ctx)
{
        duk_idx_t n = duk_get_top(ctx);

        if (!duk_is_callable(ctx, 0))
                return duk_type_error(ctx, "nextTick() needs a function");
        duk_push_bare_array(ctx);
        duk_insert(ctx, 0);
        while (n-- > 0)
                duk_put_prop_index(ctx, 0, (duk_uarridx_t)n);
        push_queue(ctx);
        duk_dup(ctx, 0);
        duk_put_prop_index(ctx, -2, (duk_uarridx_t)duk_get_length(ctx, -2));
        return 0;
}

void jobs_push_next_tick(duk_context *ctx)
{
        duk_push_c_function(ctx, js_next_tick, DUK_VARARGS);
}

/* A job that throws ends the task, and with it the queue; so it may be taken apart while it is run. */
static void run_job(duk_context *ctx)
{
        duk_idx_t job = duk_get_top_index(ctx);
        duk_uarridx_t n = (duk_uarridx_t)duk_get_length(ctx, job);

        duk_require_stack(ctx, (duk_idx_t)n + 1);
        for (duk_uarridx_t i = 0; i < n; i++)
                duk_get_prop_index(ctx, job, i);
        duk_call(ctx, (duk_idx_t)n - 1);
        duk_set_top(ctx, job);
}

void jobs_run(duk_context *ctx)
{
        duk_uarridx_t i = 0;

        push_queue(ctx);
        while (i < duk_get_length(ctx, -1)) {
                duk_get_prop_index(ctx, -1, i);
                duk_del_prop_index(ctx, -2, i++);
                run_job(ctx);
        }
        duk_set_length(ctx, -1, 0);
        duk_pop(ctx);
}
