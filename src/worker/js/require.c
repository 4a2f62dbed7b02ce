/*
 * The tables lie in the stash, where a task cannot reach them:
 *   modules   "ROOT:PATH" or "node:NAME" -> the module object, from before it runs, so that cycles end
 *   asked     "ROOT:DIRECTORY:NAME", or "ROOT:PATH" for a relative name -> the same, so that a name is asked
 * for once A module object's own `exports` is what counts. What only C may know of a function or an error
 * hangs on it under a hidden key.
 */
#include "worker/js/require.h"

#include "worker/js/builtins.h"
#include "worker/js/jobs.h"
#include "worker/js/loads.h"
#include "worker/js/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 4095, SLOTS = 24, NO_ROOT = -1 };

#define HIDDEN_CODE DUK_HIDDEN_SYMBOL("code")
#define HIDDEN_ROOT DUK_HIDDEN_SYMBOL("root")
#define HIDDEN_PATH DUK_HIDDEN_SYMBOL("path")

static const char modules_key[] = "modules", asked_key[] = "asked";

/* Of the module that is being compiled; outside of the arena, since a text of the engine's would leave a hole
 * of its size in the image. */
static struct buf source;

void require_forget(void)
{
        if (source.len)
                memset(source.data, 0, source.len);
        source.len = 0;
        buf_shrink(&source, 1024 * 1024);
}

/* ---- errors ---- */

enum wire_code require_code(duk_context *ctx, enum wire_code other)
{
        enum wire_code code = other;

        if (!duk_is_object(ctx, -1))
                return other;
        if (duk_get_prop_literal(ctx, -1, HIDDEN_CODE))
                code = (enum wire_code)duk_get_int(ctx, -1);
        duk_pop(ctx);
        return code;
}

/* Marks the error on top; `code` is what packages look at that can do without a module. */
static void mark_error(duk_context *ctx, enum wire_code code)
{
        duk_push_int(ctx, code);
        duk_put_prop_literal(ctx, -2, HIDDEN_CODE);
        duk_push_string(ctx, wire_codes[code].name);
        duk_put_prop_literal(ctx, -2, "code");
}

static _Noreturn void throw_marked(duk_context *ctx, enum wire_code code)
{
        mark_error(ctx, code);
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

/* The reason is no text of the engine's: it comes from the loader. */
static _Noreturn void throw_unavailable(
        duk_context *ctx, enum wire_code code, struct bytes name, struct bytes reason)
{
        duk_push_literal(ctx, "cannot find module \"");
        text_push(ctx, name);
        duk_push_literal(ctx, "\"");
        push_caller(ctx);
        duk_push_literal(ctx, ": ");
        text_push(ctx, reason);
        duk_concat(ctx, 6);
        duk_push_error_object(ctx, DUK_ERR_ERROR, "%s", "");
        duk_swap_top(ctx, -2);
        duk_put_prop_literal(ctx, -2, "message");
        throw_marked(ctx, code);
}

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

/* Files the module object at idx under the key on top, and pops that. */
static void put_into(duk_context *ctx, const char *table, duk_idx_t module)
{
        module = duk_normalize_index(ctx, module);
        push_table(ctx, table);
        duk_swap_top(ctx, -2);
        duk_dup(ctx, module);
        duk_put_prop(ctx, -3);
        duk_pop(ctx);
}

static void push_id(duk_context *ctx, unsigned int root, struct bytes path)
{
        duk_push_sprintf(ctx, "%u:", root);
        text_push(ctx, path);
        duk_concat(ctx, 2);
}

/* ---- who asks for what ---- */

/* A call of require(): the name, and the file that the function belongs to. */
struct request {
        struct bytes name, path;
        int root; /* NO_ROOT: a built-in module's or a task's */
};

static bool is_relative(struct bytes name)
{
        return name.len && name.data[0] == '.' &&
               (name.len == 1 || name.data[1] == '/' ||
                       (name.data[1] == '.' && (name.len == 2 || name.data[2] == '/')));
}

static struct bytes directory_of(struct bytes path)
{
        const uint8_t *slash = path.len ? memrchr(path.data, '/', path.len) : NULL;

        return (struct bytes){path.data, slash ? (size_t)(slash - path.data) : 0};
}

enum { LEAVES = -1 };

/* Goes on from the first n bytes along a relative name, as the loader will; LEAVES the root, or the new
 * length. */
static int walk(char *out, int n, struct bytes name)
{
        size_t at = 0;

        while (at < name.len) {
                const uint8_t *slash = memchr(name.data + at, '/', name.len - at);
                size_t end = slash ? (size_t)(slash - name.data) : name.len, len = end - at;
                const char *part = (const char *)name.data + at;

                at = end + 1;
                if (!len || (len == 1 && *part == '.'))
                        continue;
                if (len == 2 && !memcmp(part, "..", 2)) {
                        if (!n)
                                return LEAVES;
                        while (n && out[--n] != '/')
                                ;
                        continue;
                }
                if (n)
                        out[n++] = '/';
                memcpy(out + n, part, len);
                n += (int)len;
        }
        return n;
}

/* Such a name is a directory's, and another one's than without its end. */
static bool ends_as_directory(struct bytes name)
{
        const uint8_t *slash = memrchr(name.data, '/', name.len);
        size_t last = slash ? name.len - 1 - (size_t)(slash - name.data) : name.len;

        return !last || (last <= 2 && !memcmp(name.data + name.len - last, "..", last));
}

/* Pushes what this request is known by: a relative name by where it leads, any other one by the directory
 * that it is asked for in. */
static void push_key(duk_context *ctx, const struct request *q)
{
        struct bytes dir = directory_of(q->path);
        char out[2 * NAME_MAX_BYTES + 4];
        int n = LEAVES;

        if (dir.len)
                memcpy(out, dir.data, dir.len);
        if (is_relative(q->name))
                n = walk(out, (int)dir.len, q->name);
        if (n == LEAVES) {
                n = (int)dir.len;
                out[n++] = ':';
                memcpy(out + n, q->name.data, q->name.len);
                n += (int)q->name.len;
        } else if (ends_as_directory(q->name)) {
                out[n++] = '/';
        }
        push_id(ctx, (unsigned int)q->root, (struct bytes){(const uint8_t *)out, (size_t)n});
}

/* ---- a module's object and function ---- */

static duk_ret_t js_require(duk_context *ctx);
static duk_ret_t js_resolve(duk_context *ctx);

/* A function with a hidden mark of whose it is: root and path, NO_ROOT for a built-in module. */
static void push_marked(duk_context *ctx, duk_c_function f, const struct request *of)
{
        duk_push_c_function(ctx, f, 1);
        duk_push_int(ctx, of->root);
        duk_put_prop_literal(ctx, -2, HIDDEN_ROOT);
        text_push(ctx, of->path);
        duk_put_prop_literal(ctx, -2, HIDDEN_PATH);
}

static void push_require(duk_context *ctx, const struct request *of)
{
        push_marked(ctx, js_require, of);
        push_marked(ctx, js_resolve, of);
        duk_put_prop_literal(ctx, -2, "resolve");
        duk_push_object(ctx);
        duk_put_prop_literal(ctx, -2, "cache");
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
        duk_put_prop_literal(ctx, -3, "id");
        duk_put_prop_literal(ctx, -2, "filename");
        duk_push_object(ctx);
        duk_put_prop_literal(ctx, -2, "exports");
        duk_push_false(ctx);
        duk_put_prop_literal(ctx, -2, "loaded");
        duk_push_array(ctx);
        duk_put_prop_literal(ctx, -2, "children");
        duk_push_array(ctx);
        duk_put_prop_literal(ctx, -2, "paths");
        duk_push_object(ctx);
        duk_put_prop_literal(ctx, -2, "parent");
}

/* The lines stay as they are: what is put around the text ends none before its first. */
static void fill_source(duk_context *ctx, const char *before, struct bytes text)
{
        static const char after[] = "\n})", bom[] = "\xef\xbb\xbf", script[] = "#!";
        size_t head;
        int r;

        if (text.len >= 3 && !memcmp(text.data, bom, 3))
                text = (struct bytes){text.data + 3, text.len - 3};
        require_forget();
        r = buf_append(&source, before, strlen(before));
        head = source.len;
        if (!r)
                r = text_append_engine(&source, text);
        if (!r)
                r = buf_append(&source, after, sizeof(after) - 1);
        if (r)
                (void)duk_error(ctx, DUK_ERR_RANGE_ERROR, "there is no memory for the module's text");
        if (text.len >= 2 && !memcmp(text.data, script, 2))
                memcpy(source.data + head, "//", 2);
}

/* The parser says "... (line 3)", the one who reads it wants "... (lib/sum.js:3)". */
static void name_file_in_message(duk_context *ctx, struct bytes path)
{
        static const char mark[] = " (line ";
        const char *message, *at;
        duk_idx_t error = duk_get_top_index(ctx);
        size_t n;

        duk_get_prop_literal(ctx, error, "message");
        message = duk_get_lstring(ctx, -1, &n);
        at = message ? strstr(message, mark) : NULL;
        if (at) {
                duk_push_lstring(ctx, message, (size_t)(at - message));
                duk_push_literal(ctx, " (");
                text_push(ctx, path);
                duk_push_literal(ctx, ":");
                duk_push_string(ctx, at + sizeof(mark) - 1);
                duk_concat(ctx, 5);
                duk_put_prop_literal(ctx, error, "message");
        }
        duk_set_top(ctx, error + 1);
}

static void throw_syntax_error(duk_context *ctx, struct bytes path)
{
        /* For want of memory the error is one without a place in the text. */
        if (duk_get_error_code(ctx, -1) == DUK_ERR_SYNTAX_ERROR) {
                name_file_in_message(ctx, path);
                mark_error(ctx, WIRE_SYNTAX_ERROR);
        }
        (void)duk_throw(ctx);
}

static const char around_file[] = "(function (exports, require, module, __filename, __dirname) {";
static const char around_builtin[] = "(function (exports, require, module, native) {";

/* Pushes the function around the module's text. */
static void push_function(duk_context *ctx, const char *before, struct bytes file_name, struct bytes text)
{
        int r;

        fill_source(ctx, before, text);
        text_push(ctx, file_name);
        r = duk_pcompile_lstring_filename(ctx, DUK_COMPILE_EVAL, (const char *)source.data, source.len);
        require_forget();
        if (r != DUK_EXEC_SUCCESS)
                throw_syntax_error(ctx, file_name);
        duk_call(ctx, 0);
}

/* ---- JSON ---- */

static duk_ret_t decode_json(duk_context *ctx, void *udata)
{
        (void)udata;
        duk_json_decode(ctx, -1);
        return 1;
}

static int line_at(struct bytes text, size_t offset)
{
        int line = 1;

        for (size_t i = 0; i < offset && i < text.len; i++)
                line += text.data[i] == '\n';
        return line;
}

/* "... (at offset 12)" is not how people find a place in a file. */
static _Noreturn void throw_json_error(duk_context *ctx, struct bytes path, struct bytes text)
{
        const char *message = duk_safe_to_string(ctx, -1), *at = strstr(message, "(at offset ");
        unsigned long offset = at ? strtoul(at + 11, NULL, 10) : 0;

        duk_push_error_object(ctx, DUK_ERR_SYNTAX_ERROR, "invalid JSON (%.*s:%d)", (int)path.len,
                (const char *)path.data, line_at(text, offset));
        throw_marked(ctx, WIRE_SYNTAX_ERROR);
}

static void fill_json(duk_context *ctx, duk_idx_t module, struct bytes path, struct bytes text)
{
        if (text.len >= 3 && !memcmp(text.data, "\xef\xbb\xbf", 3))
                text = (struct bytes){text.data + 3, text.len - 3};
        text_push(ctx, text);
        if (duk_safe_call(ctx, decode_json, NULL, 1, 1) != DUK_EXEC_SUCCESS)
                throw_json_error(ctx, path, text);
        duk_put_prop_literal(ctx, module, "exports");
}

/* ---- running ---- */

/* Calls the module's function at idx: (exports, require, module, __filename, __dirname), with exports as
 * this. */
static int run_function(duk_context *ctx, duk_idx_t module, const struct request *of)
{
        duk_get_prop_literal(ctx, module, "exports");
        duk_dup_top(ctx);
        push_require(ctx, of);
        duk_dup_top(ctx);
        duk_put_prop_literal(ctx, module, "require");
        duk_dup(ctx, module);
        push_file_name(ctx, of->path);
        push_file_name(ctx, directory_of(of->path));
        return duk_pcall_method(ctx, 5);
}

/* One that throws is not there any more, and is loaded anew by whoever asks next. */
static void forget_module(duk_context *ctx, duk_idx_t key, duk_idx_t asked)
{
        push_table(ctx, modules_key);
        duk_dup(ctx, key);
        duk_del_prop(ctx, -2);
        push_table(ctx, asked_key);
        duk_dup(ctx, asked);
        duk_del_prop(ctx, -2);
        duk_pop_2(ctx);
}

/* The loader's answer is good only until the next question: text and path are taken before anything runs. */
static void load_file(duk_context *ctx, const struct wire_load_reply *a, duk_idx_t key, duk_idx_t asked)
{
        duk_idx_t module = duk_get_top(ctx);
        struct request of = {.root = (int)a->root};
        int thrown;

        push_module(ctx, a->path);
        duk_dup(ctx, key);
        put_into(ctx, modules_key, module);
        duk_dup(ctx, asked);
        put_into(ctx, asked_key, module);
        text_push(ctx, a->path);
        of.path = text_at(ctx, -1);
        if (wire_str_is(wire_word("missing|js|json", a->kind), "json")) {
                fill_json(ctx, module, of.path, a->source);
        } else {
                push_function(ctx, around_file, of.path, a->source);
                thrown = run_function(ctx, module, &of);
                if (thrown) {
                        forget_module(ctx, key, asked);
                        (void)duk_throw(ctx);
                }
        }
        duk_push_true(ctx);
        duk_put_prop_literal(ctx, module, "loaded");
        duk_set_top(ctx, module + 1);
}

/* As the engine spells it, so as UTF-8 never longer. */
static struct bytes as_utf8(uint8_t *room, struct bytes s)
{
        text_write_utf8(room, s);
        return (struct bytes){room, text_utf8_size(s)};
}

static void ask(duk_context *ctx, const struct request *q, struct wire_load_reply *a)
{
        uint8_t name[NAME_MAX_BYTES], path[NAME_MAX_BYTES];
        struct wire_load question = {0};
        struct wire_refusal why;

        WIRE_SET(&question, load, name, as_utf8(name, q->name));
        if (q->root != NO_ROOT) {
                WIRE_SET(&question, load, root, (uint64_t)q->root);
                WIRE_SET(&question, load, from, as_utf8(path, q->path));
        }
        if (loads_ask(&question, a, &why))
                throw_unavailable(ctx, why.code, q->name, wire_str(why.message));
        if (!a->kind)
                throw_unavailable(ctx, WIRE_MODULE_NOT_FOUND, q->name, a->why);
        if (!WIRE_HAS(a, load_reply, path) || !WIRE_HAS(a, load_reply, source))
                throw_unavailable(
                        ctx, WIRE_LOADER_UNAVAILABLE, q->name, wire_str("the answer made no sense"));
}

/* Pushes the module object. */
static void push_file(duk_context *ctx, const struct request *q)
{
        struct wire_load_reply a;
        duk_idx_t asked = duk_get_top(ctx);

        push_key(ctx, q);
        duk_dup_top(ctx);
        if (take_from(ctx, asked_key)) {
                duk_remove(ctx, asked);
                return;
        }
        ask(ctx, q, &a);
        push_id(ctx, (unsigned int)a.root, a.path);
        duk_dup_top(ctx);
        if (take_from(ctx, modules_key)) {
                duk_dup(ctx, asked);
                put_into(ctx, asked_key, -2);
        } else {
                load_file(ctx, &a, asked + 1, asked);
        }
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

static void load_builtin(duk_context *ctx, const struct builtin *b)
{
        const struct request of = {.root = NO_ROOT};
        duk_idx_t module = duk_get_top(ctx);
        char file_name[64];

        snprintf(file_name, sizeof(file_name), "node:%s", b->name);
        push_module(ctx, wire_str(b->name));
        duk_push_string(ctx, file_name);
        put_into(ctx, modules_key, module);
        push_function(ctx, around_builtin, wire_str(file_name), b->source);
        duk_get_prop_literal(ctx, module, "exports");
        push_require(ctx, &of);
        duk_dup(ctx, module);
        push_natives(ctx);
        duk_call(ctx, 4);
        duk_set_top(ctx, module + 1);
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
                throw_unavailable(ctx, WIRE_MODULE_NOT_FOUND, q->name,
                        wire_str("this module of Node's is not available in the sandbox"));
        else
                push_file(ctx, q);
}

/* ---- what JavaScript calls ---- */

/* The name in argument 0, as UTF-8 on the stack, and whose function this is. */
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
        if (q->name.len > NAME_MAX_BYTES || q->path.len > NAME_MAX_BYTES)
                throw_unavailable(ctx, WIRE_MODULE_NOT_FOUND, (struct bytes){q->name.data, 64},
                        wire_str("the name is too long"));
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
        const struct request q = {.name = name, .root = NO_ROOT};

        push_requested(ctx, &q);
        duk_get_prop_literal(ctx, -1, "exports");
        duk_remove(ctx, -2);
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
