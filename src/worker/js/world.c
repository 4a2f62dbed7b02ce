/* Building the globals, and the names that are taken away from them. */
#include "worker/js/world.h"

#include "base/error.h"
#include "base/log.h"
#include "worker/js/arena.h"
#include "worker/js/console.h"
#include "worker/js/random.h"
#include "worker/js/trace.h"

#include <errno.h>

static struct {
        duk_context *ctx;
        void *objects[WORLD_OBJECTS];
} world;

static const char *const expressions[WORLD_OBJECTS] = {
#define OBJECT(id, expression) [WORLD_##id] = expression,
#include "worker/js/world.def"
};

/* Finalizers, coroutines, bytecode and raw pointers hang on Duktape; the rest is known to no other
 * JavaScript. */
static const struct {
        const char *owner, *name;
} removed[] = {
        {"globalThis", "Duktape"},
        {"globalThis", "CBOR"},
        {"Uint8Array", "allocPlain"},
        {"Uint8Array", "plainOf"},
};

static void remove_names(duk_context *ctx)
{
        for (size_t i = 0; i < sizeof(removed) / sizeof(removed[0]); i++) {
                duk_eval_string(ctx, removed[i].owner);
                duk_del_prop_string(ctx, -1, removed[i].name);
                duk_pop(ctx);
        }
}

/* The stash keeps them alive when a task deletes every name that leads to them. */
static void keep_objects(duk_context *ctx)
{
        duk_push_global_stash(ctx);
        for (duk_uarridx_t i = 0; i < WORLD_OBJECTS; i++) {
                duk_eval_string(ctx, expressions[i]);
                world.objects[i] = duk_get_heapptr(ctx, -1);
                duk_put_prop_index(ctx, -2, i);
        }
        duk_pop(ctx);
}

static duk_ret_t build(duk_context *ctx, void *udata)
{
        (void)udata;
        remove_names(ctx);
        keep_objects(ctx);
        console_install(ctx);
        random_install(ctx);
        trace_install(ctx);
        return 0;
}

int world_build(duk_fatal_function on_fatal)
{
        duk_context *ctx = duk_create_heap(arena_alloc, arena_realloc, arena_free, NULL, on_fatal);

        if (!ctx)
                return error_origin(-ENOMEM);
        if (duk_safe_call(ctx, build, NULL, 0, 1) != DUK_EXEC_SUCCESS) {
                log_error("world", "the globals could not be built: %s", duk_safe_to_string(ctx, -1));
                return error_origin(-ENOMEM);
        }
        duk_set_top(ctx, 0);
        world_tidy(ctx);
        world.ctx = ctx;
        return 0;
}

/* Twice, as the engine's manual asks: the first run may only have marked what the second one frees. */
void world_tidy(duk_context *ctx)
{
        duk_gc(ctx, 0);
        duk_gc(ctx, 0);
}

duk_context *world_context(void)
{
        return world.ctx;
}

void world_push(duk_context *ctx, enum world_object object)
{
        duk_push_heapptr(ctx, world.objects[object]);
}

bool world_has_prototype(duk_context *ctx, duk_idx_t idx, enum world_object object)
{
        bool same;

        duk_get_prototype(ctx, idx);
        same = duk_get_heapptr(ctx, -1) == world.objects[object];
        duk_pop(ctx);
        return same;
}
