/*
 * The tables lie in the stash, where a task cannot reach them:
 *   modules   "ROOT:PATH" or "node:NAME" -> the module object, from before it runs, so that cycles end
 *   asked     "ROOT:DIRECTORY:NAME", or "ROOT:PATH" for a relative name -> its key there, so that a name is
 *             asked for once
 * A module object's own `exports` is what counts. What only C may know of a function or an error hangs on it
 * under a hidden key.
 */
#include "worker/js/require.h"

#include "worker/js/builtins.h"
#include "worker/js/compile.h"
#include "worker/js/jobs.h"
#include "worker/js/loads.h"
#include "worker/js/request.h"
#include "worker/js/require_error.h"
#include "worker/js/text.h"

#include <stdio.h>
#include <string.h>

enum { SLOTS = 24 };

#define HIDDEN_ROOT DUK_HIDDEN_SYMBOL("root")
#define HIDDEN_PATH DUK_HIDDEN_SYMBOL("path")

static const char modules_key[] = "modules", asked_key[] = "asked";

/* ---- tables ---- */

static void push_table(duk_context *ctx, const char *key)
{
        duk_push_global_stash(ctx);
        duk_get_prop_string(ctx, -1, key);
        duk_remove(ctx, -2);
}

/* Looks the key on top up and replaces it by the module object; false: by nothing. */
static bool take_from(duk_context *ctx, const char *table)
{
        push_table(ctx, table);
        duk_swap_top(ctx, -2);
        if (duk_get_prop(ctx, -2)) {
                duk_remove(ctx, -2);
                return true;
        }
        duk_pop_2(ctx);
        return false;
}

/* The same by way of the name that was asked for. A module that threw is not there any more. */
static bool take_asked(duk_context *ctx)
{
        return take_from(ctx, asked_key) && take_from(ctx, modules_key);
}

/* Files what is at idx under the key on top, and pops that. */
static void put_into(duk_context *ctx, const char *table, duk_idx_t value)
{
        value = duk_normalize_index(ctx, value);
        push_table(ctx, table);
        duk_swap_top(ctx, -2);
        duk_dup(ctx, value);
        duk_put_prop(ctx, -3);
        duk_pop(ctx);
}

/* ---- a module's object and function ---- */

static const char around_file[] = "(function (exports, require, module, __filename, __dirname) {";
static const char around_builtin[] = "(function (exports, require, module, native) {";

static duk_ret_t js_require(duk_context *ctx);
static duk_ret_t js_resolve(duk_context *ctx);

/* A function with a hidden mark of whose it is: root and path, REQUEST_NO_ROOT for a built-in module. */
static void push_marked(duk_context *ctx, duk_c_function f, const struct request *of)
{
        duk_push_c_function(ctx, f, 1);
        duk_push_int(ctx, of->root);
        duk_put_prop_literal(ctx, -2, HIDDEN_ROOT);
        text_push(ctx, of->path);
        duk_put_prop_literal(ctx, -2, HIDDEN_PATH);
}

/* Gives the object below it what is on top as its own: no setter that a module put on a prototype is run. */
static void define_own(duk_context *ctx, const char *name)
{
        duk_push_string(ctx, name);
        duk_swap_top(ctx, -2);
        duk_def_prop(ctx, -3, DUK_DEFPROP_HAVE_VALUE | DUK_DEFPROP_SET_WEC);
}

static void push_require(duk_context *ctx, const struct request *of)
{
        push_marked(ctx, js_require, of);
        push_marked(ctx, js_resolve, of);
        define_own(ctx, "resolve");
        duk_push_object(ctx);
        define_own(ctx, "cache");
}

/* "/" and the path: a module sees its root as "/". */
static void push_file_name(duk_context *ctx, struct bytes path)
{
        duk_push_literal(ctx, "/");
        text_push(ctx, path);
        duk_concat(ctx, 2);
}

/* parent is there for packages that ask whether they were started as a program; they never are. */
static void push_module(duk_context *ctx, struct bytes path)
{
        duk_push_object(ctx);
        push_file_name(ctx, path);
        duk_dup_top(ctx);
        duk_insert(ctx, -3);
        define_own(ctx, "filename");
        duk_swap_top(ctx, -2);
        define_own(ctx, "id");
        duk_push_object(ctx);
        define_own(ctx, "exports");
        duk_push_false(ctx);
        define_own(ctx, "loaded");
        duk_push_array(ctx);
        define_own(ctx, "children");
        duk_push_array(ctx);
        define_own(ctx, "paths");
        duk_push_object(ctx);
        define_own(ctx, "parent");
}

/* ---- running ---- */

/* Calls the module's function on top: (exports, require, module, __filename, __dirname), with exports as
 * this. */
static void run_function(duk_context *ctx, duk_idx_t module, const struct request *of)
{
        duk_get_prop_literal(ctx, module, "exports");
        duk_dup_top(ctx);
        push_require(ctx, of);
        duk_dup(ctx, module);
        duk_dup(ctx, -2);
        define_own(ctx, "require");
        push_file_name(ctx, of->path);
        push_file_name(ctx, request_directory(of->path));
        duk_call_method(ctx, 5);
}

struct loading {
        /* Good only until the next question: nothing of a module's runs before it is used up. */
        const struct wire_load_reply *answer;
        duk_idx_t module;
};

static duk_ret_t fill_module(duk_context *ctx, void *udata)
{
        const struct loading *l = udata;
        struct request of = {.root = (int)l->answer->root};

        duk_require_stack(ctx, SLOTS);
        text_push(ctx, l->answer->path);
        of.path = text_at(ctx, -1);
        if (wire_str_is(wire_word("missing|js|json", l->answer->kind), "json")) {
                compile_push_json(ctx, of.path, l->answer->source);
                duk_put_prop_literal(ctx, l->module, "exports");
        } else {
                compile_push_function(ctx, around_file, of.path, l->answer->source);
                run_function(ctx, l->module, &of);
        }
        duk_push_true(ctx);
        duk_put_prop_literal(ctx, l->module, "loaded");
        return 0;
}

/* One that throws is not there any more, and is loaded anew by whoever asks next. */
static void forget_module(duk_context *ctx, duk_idx_t key)
{
        push_table(ctx, modules_key);
        duk_dup(ctx, key);
        duk_del_prop(ctx, -2);
        duk_pop(ctx);
}

/* Pushes the module object. It is in the tables before it is filled, so that cycles end. */
static void load_file(duk_context *ctx, const struct wire_load_reply *a, duk_idx_t key)
{
        struct loading l = {a, duk_get_top(ctx)};

        push_module(ctx, a->path);
        duk_dup(ctx, key);
        put_into(ctx, modules_key, l.module);
        if (duk_safe_call(ctx, fill_module, &l, 0, 1) != DUK_EXEC_SUCCESS) {
                forget_module(ctx, key);
                (void)duk_throw(ctx);
        }
        duk_pop(ctx);
}

/* No longer than REQUEST_BYTES: see check_lengths(). */
static struct bytes as_utf8(uint8_t *room, struct bytes s)
{
        text_write_utf8(room, s);
        return (struct bytes){room, text_utf8_size(s)};
}

static void ask(duk_context *ctx, const struct request *q, struct wire_load_reply *a)
{
        uint8_t name[REQUEST_BYTES], path[REQUEST_BYTES];
        struct wire_load question = {0};
        struct wire_refusal why;

        WIRE_SET(&question, load, name, as_utf8(name, q->name));
        if (q->root != REQUEST_NO_ROOT) {
                WIRE_SET(&question, load, root, (uint64_t)q->root);
                WIRE_SET(&question, load, from, as_utf8(path, q->path));
        }
        if (loads_ask(&question, a, &why))
                require_throw_unavailable(ctx, why.code, q->name, wire_str(why.message));
        if (!a->kind)
                require_throw_unavailable(ctx, WIRE_MODULE_NOT_FOUND, q->name, a->why);
        if (!WIRE_HAS(a, load_reply, path) || !WIRE_HAS(a, load_reply, source))
                require_throw_unavailable(
                        ctx, WIRE_LOADER_UNAVAILABLE, q->name, wire_str("the answer made no sense"));
}

/* Pushes the module object. */
static void push_file(duk_context *ctx, const struct request *q)
{
        struct wire_load_reply a;
        duk_idx_t asked = duk_get_top(ctx);

        request_push_key(ctx, q);
        duk_dup_top(ctx);
        if (take_asked(ctx)) {
                duk_remove(ctx, asked);
                return;
        }
        ask(ctx, q, &a);
        request_push_id(ctx, (unsigned int)a.root, a.path);
        duk_dup(ctx, asked);
        put_into(ctx, asked_key, asked + 1);
        duk_dup_top(ctx);
        if (!take_from(ctx, modules_key))
                load_file(ctx, &a, asked + 1);
        duk_replace(ctx, asked);
        duk_set_top(ctx, asked + 1);
}

/* What a built-in module gets beside what every module has: its fourth argument. */
static void push_natives(duk_context *ctx)
{
        duk_push_object(ctx);
        jobs_push_next_tick(ctx);
        duk_put_prop_literal(ctx, -2, "nextTick");
}

struct building {
        const struct builtin *builtin;
        const char *file_name;
        duk_idx_t module;
};

static duk_ret_t fill_builtin(duk_context *ctx, void *udata)
{
        const struct request of = {.root = REQUEST_NO_ROOT};
        const struct building *b = udata;

        duk_require_stack(ctx, SLOTS);
        compile_push_function(ctx, around_builtin, wire_str(b->file_name), b->builtin->source);
        duk_get_prop_literal(ctx, b->module, "exports");
        push_require(ctx, &of);
        duk_dup(ctx, b->module);
        push_natives(ctx);
        duk_call(ctx, 4);
        return 0;
}

/* Of its own it does not throw; but there may be no stack or memory left for it where it is asked for. */
static void load_builtin(duk_context *ctx, const struct builtin *b)
{
        char file_name[64];
        struct building of = {b, file_name, duk_get_top(ctx)};

        snprintf(file_name, sizeof(file_name), "node:%s", b->name);
        push_module(ctx, wire_str(b->name));
        duk_push_string(ctx, file_name);
        duk_dup_top(ctx);
        put_into(ctx, modules_key, of.module);
        if (duk_safe_call(ctx, fill_builtin, &of, 0, 1) != DUK_EXEC_SUCCESS) {
                forget_module(ctx, of.module + 1);
                (void)duk_throw(ctx);
        }
        duk_set_top(ctx, of.module + 1);
}

static void push_builtin(duk_context *ctx, const struct builtin *b)
{
        duk_push_sprintf(ctx, "node:%s", b->name);
        if (!take_from(ctx, modules_key))
                load_builtin(ctx, b);
}

/* Pushes the module object of what is asked for. */
static void push_requested(duk_context *ctx, const struct request *q)
{
        const struct builtin *b = builtin_find(q->name);

        duk_require_stack(ctx, SLOTS);
        if (b)
                push_builtin(ctx, b);
        else if (builtin_is_withheld(q->name))
                require_throw_unavailable(ctx, WIRE_MODULE_NOT_FOUND, q->name,
                        wire_str("this module of Node's is not available in the sandbox"));
        else
                push_file(ctx, q);
}

/* ---- what JavaScript calls ---- */

/* As UTF-8 a name is longer than as the engine has it if there is in it what is no character. */
static bool is_too_long(struct bytes s)
{
        return s.len > REQUEST_BYTES || text_utf8_size(s) > REQUEST_BYTES;
}

static void check_lengths(duk_context *ctx, const struct request *q)
{
        enum { SHOWN = 64 };

        if (is_too_long(q->name) || is_too_long(q->path))
                require_throw_unavailable(ctx, WIRE_MODULE_NOT_FOUND,
                        (struct bytes){q->name.data, q->name.len < SHOWN ? q->name.len : SHOWN},
                        wire_str("the name is too long"));
}

/* The name in argument 0, and whose function this is. */
static void read_request(duk_context *ctx, struct request *q)
{
        duk_require_stack(ctx, SLOTS);
        if (!duk_is_string(ctx, 0) || duk_is_symbol(ctx, 0) || !duk_get_length(ctx, 0))
                (void)duk_type_error(ctx, "require() needs the name of a module");
        q->name = text_at(ctx, 0);
        duk_push_current_function(ctx);
        duk_get_prop_literal(ctx, -1, HIDDEN_ROOT);
        q->root = duk_get_int(ctx, -1);
        duk_get_prop_literal(ctx, -2, HIDDEN_PATH);
        q->path = text_at(ctx, -1);
        check_lengths(ctx, q);
}

static duk_ret_t js_require(duk_context *ctx)
{
        struct request q;

        read_request(ctx, &q);
        push_requested(ctx, &q);
        duk_get_prop_literal(ctx, -1, "exports");
        return 1;
}

/* Where a name leads, without running what is there. */
static duk_ret_t js_resolve(duk_context *ctx)
{
        struct wire_load_reply a;
        struct request q;

        read_request(ctx, &q);
        if (builtin_find(q.name)) {
                duk_dup(ctx, 0);
                return 1;
        }
        if (builtin_is_withheld(q.name))
                push_requested(ctx, &q);
        ask(ctx, &q, &a);
        push_file_name(ctx, a.path);
        return 1;
}

void require_entry(duk_context *ctx, struct bytes name)
{
        duk_idx_t at = duk_get_top(ctx);
        struct request q = {.root = REQUEST_NO_ROOT};

        text_push(ctx, name);
        q.name = text_at(ctx, at);
        check_lengths(ctx, &q);
        push_requested(ctx, &q);
        duk_get_prop_literal(ctx, -1, "exports");
        duk_replace(ctx, at);
        duk_set_top(ctx, at + 1);
}

/* ---- globals ---- */

static const struct {
        const char *name, *module;
        const char *property; /* of the module; NULL: the module itself */
} lazy_globals[] = {
        {"process", "process", NULL},
        {"Buffer", "buffer", "Buffer"},
};

static void define_global(duk_context *ctx, const char *name)
{
        duk_push_global_object(ctx);
        duk_push_string(ctx, name);
        duk_dup(ctx, -3);
        duk_def_prop(ctx, -3,
                DUK_DEFPROP_HAVE_VALUE | DUK_DEFPROP_SET_WRITABLE | DUK_DEFPROP_SET_CONFIGURABLE |
                        DUK_DEFPROP_CLEAR_ENUMERABLE | DUK_DEFPROP_FORCE);
        duk_pop(ctx);
}

/* The first look at it loads the module; from then on it is a plain property. */
static duk_ret_t js_get_global(duk_context *ctx)
{
        int i = duk_get_current_magic(ctx);

        duk_require_stack(ctx, SLOTS);
        push_builtin(ctx, builtin_find(wire_str(lazy_globals[i].module)));
        duk_get_prop_literal(ctx, -1, "exports");
        if (lazy_globals[i].property)
                duk_get_prop_string(ctx, -1, lazy_globals[i].property);
        define_global(ctx, lazy_globals[i].name);
        return 1;
}

static duk_ret_t js_set_global(duk_context *ctx)
{
        duk_require_stack(ctx, SLOTS);
        define_global(ctx, lazy_globals[duk_get_current_magic(ctx)].name);
        return 0;
}

static void install_lazy_global(duk_context *ctx, int i)
{
        duk_push_global_object(ctx);
        duk_push_string(ctx, lazy_globals[i].name);
        duk_push_c_function(ctx, js_get_global, 0);
        duk_set_magic(ctx, -1, i);
        duk_push_c_function(ctx, js_set_global, 1);
        duk_set_magic(ctx, -1, i);
        duk_def_prop(ctx, -4,
                DUK_DEFPROP_HAVE_GETTER | DUK_DEFPROP_HAVE_SETTER | DUK_DEFPROP_SET_CONFIGURABLE |
                        DUK_DEFPROP_CLEAR_ENUMERABLE | DUK_DEFPROP_FORCE);
        duk_pop(ctx);
}

void require_install(duk_context *ctx)
{
        duk_push_global_stash(ctx);
        duk_push_bare_object(ctx);
        duk_put_prop_string(ctx, -2, modules_key);
        duk_push_bare_object(ctx);
        duk_put_prop_string(ctx, -2, asked_key);
        duk_pop(ctx);
        duk_push_global_object(ctx);
        define_global(ctx, "global");
        duk_pop(ctx);
        for (int i = 0; i < (int)(sizeof(lazy_globals) / sizeof(lazy_globals[0])); i++)
                install_lazy_global(ctx, i);
}
