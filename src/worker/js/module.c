/* The entry's exports wait in the stash between loading and calling. */
#include "worker/js/module.h"

#include "base/clock.h"
#include "worker/js/loads.h"
#include "worker/js/require.h"
#include "worker/js/text.h"
#include "worker/js/value_in.h"
#include "worker/js/world.h"
#include "worker/js/worlds.h"

/* How long it is taken for granted that no file of a loaded module has changed. */
enum { TRUST_MS = 20 };

static const char entry_key[] = "entry";

/* An answer that cannot be had is no reason to trust the world: the module is then asked for, and says why
 * not. */
static bool still_holds(struct world *w)
{
        int64_t now = clock_now();
        struct wire_refusal why;
        uint32_t n;
        struct bytes proof = worlds_proof(w, &n);
        bool same;

        if (!n || now - worlds_checked_at(w) < TRUST_MS * NS_PER_MS)
                return true;
        if (loads_check(proof, n, &same, &why))
                return false;
        if (same)
                worlds_set_checked(w, now);
        else
                worlds_drop(w);
        return same;
}

bool module_enter(const struct wire_execute_module *task)
{
        struct world *w = worlds_find(task->module_path);

        if (w && !still_holds(w))
                w = NULL;
        worlds_enter(w);
        return w != NULL;
}

void module_load(duk_context *ctx, const struct wire_execute_module *task)
{
        require_install(ctx);
        require_entry(ctx, task->module_path);
        duk_push_global_stash(ctx);
        duk_swap_top(ctx, -2);
        duk_put_prop_string(ctx, -2, entry_key);
        duk_pop(ctx);
}

void module_keep(duk_context *ctx, const struct wire_execute_module *task)
{
        struct wire_refusal why;
        struct bytes proof;
        uint32_t n;

        if (loads_failed(&why) || !loads_proof(&proof, &n))
                return;
        world_tidy(ctx);
        worlds_keep(task->module_path, proof, n, loads_asked_at());
}

/* Pushes the function to call and its `this`; false: the export is no function, and is the result itself. */
static bool push_callee(duk_context *ctx, const struct wire_execute_module *task)
{
        duk_push_global_stash(ctx);
        duk_get_prop_string(ctx, -1, entry_key);
        duk_remove(ctx, -2);
        if (!WIRE_HAS(task, execute_module, method)) {
                if (!duk_is_callable(ctx, -1))
                        return false;
                duk_push_undefined(ctx);
                return true;
        }
        if (!duk_is_null_or_undefined(ctx, -1)) {
                text_push(ctx, task->method);
                duk_get_prop(ctx, -2);
                if (duk_is_callable(ctx, -1)) {
                        duk_swap_top(ctx, -2);
                        return true;
                }
        }
        return duk_type_error(ctx, "module \"%.*s\" has no method \"%.*s\"", (int)task->module_path.len,
                (const char *)task->module_path.data, (int)task->method.len, (const char *)task->method.data);
}

void module_call(duk_context *ctx, const struct wire_execute_module *task)
{
        if (push_callee(ctx, task))
                duk_call_method(ctx, value_push_elements(ctx, task->args));
}
