/* One function a kind of value; the depth is small, so that recursion and the search for cycles are cheap. */
#include "worker/js/inspect.h"

#include "wire/message.h"
#include "worker/js/text.h"
#include "worker/js/world.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 4, ITEMS_MAX = 100, BYTES_MAX = 50, SLOTS = 10 };

struct level {
        const struct level *up;
        void *object;
        int depth;
};

static void show(struct inspector *in, duk_idx_t idx, const struct level *up);

void inspect_text(struct inspector *in, struct bytes text)
{
        in->full = in->full || !text_append_part(in->out, text);
}

static void put(struct inspector *in, const char *text)
{
        inspect_text(in, wire_str(text));
}

static void put_string(struct inspector *in, duk_idx_t idx)
{
        inspect_text(in, text_at(in->ctx, idx));
}

static void put_popped(struct inspector *in)
{
        put_string(in, -1);
        duk_pop(in->ctx);
}

static void put_quoted(struct inspector *in, duk_idx_t idx)
{
        duk_dup(in->ctx, idx);
        duk_json_encode(in->ctx, -1);
        put_popped(in);
}

/* Inside the engine a symbol is a string: a mark, the description, and for unique ones 0xff and a number. */
static void put_symbol(struct inspector *in, duk_idx_t idx)
{
        struct bytes s = text_at(in->ctx, idx);
        const uint8_t *end;

        s.data++;
        s.len--;
        end = memchr(s.data, 0xff, s.len);
        put(in, "Symbol(");
        inspect_text(in, (struct bytes){s.data, end ? (size_t)(end - s.data) : s.len});
        put(in, ")");
}

static duk_ret_t get_property(duk_context *ctx, void *udata)
{
        (void)udata;
        duk_get_prop(ctx, -2);
        return 1;
}

/* Pushes a property, or undefined when its getter throws. */
static void push_property(duk_context *ctx, duk_idx_t idx, const char *key)
{
        duk_dup(ctx, idx);
        duk_push_string(ctx, key);
        if (duk_safe_call(ctx, get_property, NULL, 2, 1) != DUK_EXEC_SUCCESS) {
                duk_pop(ctx);
                duk_push_undefined(ctx);
        }
}

static void show_function(struct inspector *in, duk_idx_t idx)
{
        push_property(in->ctx, idx, "name");
        put(in, "[Function");
        if (duk_is_string(in->ctx, -1) && !duk_is_symbol(in->ctx, -1) && duk_get_length(in->ctx, -1)) {
                put(in, ": ");
                put_string(in, -1);
        }
        put(in, "]");
        duk_pop(in->ctx);
}

static void show_error(struct inspector *in, duk_idx_t idx)
{
        push_property(in->ctx, idx, "stack");
        if (duk_is_string(in->ctx, -1) && !duk_is_symbol(in->ctx, -1))
                put_string(in, -1);
        else
                put(in, "[Error]");
        duk_pop(in->ctx);
}

static void show_bytes(struct inspector *in, duk_idx_t idx)
{
        size_t n;
        const uint8_t *data = duk_get_buffer_data(in->ctx, idx, &n);
        char text[48];

        put(in, "<Buffer");
        for (size_t i = 0; i < n && i < BYTES_MAX; i++) {
                snprintf(text, sizeof(text), " %02x", data[i]);
                put(in, text);
        }
        if (n > BYTES_MAX) {
                snprintf(text, sizeof(text), " ... %zu more bytes", n - BYTES_MAX);
                put(in, text);
        }
        put(in, ">");
}

/* Objects that a word says more about than their properties do. */
static bool show_by_class(struct inspector *in, duk_idx_t idx)
{
        static const struct {
                enum world_object prototype, method;
        } classes[] = {
                {WORLD_DATE_PROTOTYPE, WORLD_DATE_TO_ISO},
                {WORLD_REGEXP_PROTOTYPE, WORLD_REGEXP_TO_STRING},
                {WORLD_NUMBER_PROTOTYPE, WORLD_NUMBER_VALUE},
                {WORLD_STRING_PROTOTYPE, WORLD_STRING_VALUE},
                {WORLD_BOOLEAN_PROTOTYPE, WORLD_BOOLEAN_VALUE},
        };

        for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
                if (!world_has_prototype(in->ctx, idx, classes[i].prototype))
                        continue;
                world_push(in->ctx, classes[i].method);
                duk_dup(in->ctx, idx);
                if (duk_pcall_method(in->ctx, 0) == DUK_EXEC_SUCCESS) {
                        duk_to_string(in->ctx, -1);
                        put_popped(in);
                        return true;
                }
                duk_pop(in->ctx);
        }
        return false;
}

static void show_array(struct inspector *in, duk_idx_t idx, const struct level *at)
{
        size_t n;
        char text[48];

        push_property(in->ctx, idx, "length");
        n = duk_get_uint(in->ctx, -1);
        duk_pop(in->ctx);
        put(in, n ? "[ " : "[");
        for (size_t i = 0; i < n && i < ITEMS_MAX && !in->full; i++) {
                if (i)
                        put(in, ", ");
                snprintf(text, sizeof(text), "%zu", i);
                push_property(in->ctx, idx, text);
                show(in, duk_get_top_index(in->ctx), at);
                duk_pop(in->ctx);
        }
        if (n > ITEMS_MAX) {
                snprintf(text, sizeof(text), ", ... %zu more items", n - ITEMS_MAX);
                put(in, text);
        }
        put(in, n ? " ]" : "]");
}

static void put_key(struct inspector *in, duk_idx_t idx)
{
        struct bytes s = text_at(in->ctx, idx);
        bool plain = s.len && !isdigit(s.data[0]);

        for (size_t i = 0; i < s.len && plain; i++)
                plain = isalnum(s.data[i]) || s.data[i] == '_' || s.data[i] == '$';
        if (plain)
                put_string(in, idx);
        else
                put_quoted(in, idx);
}

/* Shows the property whose key is at idx, by its descriptor: a getter is named, not called. */
static void show_property(struct inspector *in, duk_idx_t object, duk_idx_t key, const struct level *at)
{
        duk_context *ctx = in->ctx;

        put_key(in, key);
        put(in, ": ");
        duk_dup(ctx, key);
        duk_get_prop_desc(ctx, object, 0);
        if (!duk_is_object(ctx, -1)) {
                put(in, "undefined");
                duk_pop(ctx);
                return;
        }
        /* What the task put on Object.prototype must not pass for the descriptor's own. */
        duk_push_undefined(ctx);
        duk_set_prototype(ctx, -2);
        if (duk_has_prop_string(ctx, -1, "get")) {
                put(in, "[Getter]");
        } else {
                duk_get_prop_string(ctx, -1, "value");
                show(in, duk_get_top_index(ctx), at);
                duk_pop(ctx);
        }
        duk_pop(ctx);
}

static duk_ret_t enumerate(duk_context *ctx, void *udata)
{
        (void)udata;
        duk_enum(ctx, -1, DUK_ENUM_OWN_PROPERTIES_ONLY);
        return 1;
}

static void show_object(struct inspector *in, duk_idx_t idx, const struct level *at)
{
        duk_context *ctx = in->ctx;
        int n = 0;

        duk_dup(ctx, idx);
        if (duk_safe_call(ctx, enumerate, NULL, 1, 1) != DUK_EXEC_SUCCESS) {
                /* A proxy whose trap throws. */
                put(in, "[Object]");
                duk_pop(ctx);
                return;
        }
        put(in, "{");
        while (!in->full && n < ITEMS_MAX && duk_next(ctx, -1, 0)) {
                put(in, n++ ? ", " : " ");
                show_property(in, idx, duk_get_top_index(ctx), at);
                duk_pop(ctx);
        }
        if (n == ITEMS_MAX)
                put(in, ", ...");
        put(in, n ? " }" : "}");
        duk_pop(ctx);
}

static void show_container(struct inspector *in, duk_idx_t idx, const struct level *up)
{
        struct level at = {up, duk_get_heapptr(in->ctx, idx), up ? up->depth + 1 : 1};

        for (const struct level *l = up; l; l = l->up)
                if (l->object == at.object)
                        return put(in, "[Circular]");
        if (at.depth > DEPTH_MAX)
                return put(in, duk_is_array(in->ctx, idx) ? "[Array]" : "[Object]");
        if (duk_is_array(in->ctx, idx))
                return show_array(in, idx, &at);
        show_object(in, idx, &at);
}

static void show_primitive(struct inspector *in, duk_idx_t idx, bool inside)
{
        if (duk_is_symbol(in->ctx, idx))
                return put_symbol(in, idx);
        if (duk_is_string(in->ctx, idx))
                return inside ? put_quoted(in, idx) : put_string(in, idx);
        if (duk_is_number(in->ctx, idx) && duk_get_number(in->ctx, idx) == 0 &&
                signbit(duk_get_number(in->ctx, idx)))
                return put(in, "-0");
        duk_dup(in->ctx, idx);
        duk_to_string(in->ctx, -1);
        put_popped(in);
}

static void show(struct inspector *in, duk_idx_t idx, const struct level *up)
{
        duk_require_stack(in->ctx, SLOTS);
        if (duk_is_buffer_data(in->ctx, idx))
                show_bytes(in, idx);
        else if (duk_is_callable(in->ctx, idx))
                show_function(in, idx);
        else if (!duk_is_object(in->ctx, idx))
                show_primitive(in, idx, up != NULL);
        else if (duk_is_error(in->ctx, idx))
                show_error(in, idx);
        else if (!show_by_class(in, idx))
                show_container(in, idx, up);
}

void inspect_append(struct inspector *in, duk_idx_t idx)
{
        show(in, duk_normalize_index(in->ctx, idx), NULL);
}
