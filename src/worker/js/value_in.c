/* Each tag has one function; arrays and maps come back to value_push() for their elements. */
#include "worker/js/value_in.h"

#include "worker/js/text.h"
#include "worker/js/world.h"

#include <endian.h>
#include <string.h>

enum { TIMESTAMP = -1, SLOTS = 6 };

static void push_bytes(duk_context *ctx, struct bytes b)
{
        void *at = duk_push_fixed_buffer(ctx, b.len);

        if (b.len)
                memcpy(at, b.data, b.len);
        duk_push_buffer_object(ctx, -1, 0, b.len, DUK_BUFOBJ_UINT8ARRAY);
        duk_remove(ctx, -2);
}

static uint64_t load_be64(const uint8_t *p)
{
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return be64toh(v);
}

static uint32_t load_be32(const uint8_t *p)
{
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return be32toh(v);
}

/* The three layouts of a timestamp; false for bytes that are none of them. */
static bool read_timestamp(struct bytes b, double *ms)
{
        double seconds, nanoseconds;

        if (b.len == 4) {
                seconds = load_be32(b.data);
                nanoseconds = 0;
        } else if (b.len == 8) {
                seconds = (double)(load_be64(b.data) & ((UINT64_C(1) << 34) - 1));
                nanoseconds = (double)(load_be64(b.data) >> 34);
        } else if (b.len == 12) {
                seconds = (double)(int64_t)load_be64(b.data + 4);
                nanoseconds = load_be32(b.data);
        } else {
                return false;
        }
        *ms = seconds * 1e3 + (double)(int64_t)(nanoseconds / 1e6);
        return true;
}

static void push_ext(duk_context *ctx, const struct wire_value *v)
{
        double ms;

        if (v->ext_type == TIMESTAMP && read_timestamp(v->bytes, &ms)) {
                world_push(ctx, WORLD_DATE);
                duk_push_number(ctx, ms);
                duk_new(ctx, 1);
                return;
        }
        duk_push_object(ctx);
        duk_push_int(ctx, v->ext_type);
        duk_put_prop_literal(ctx, -2, "type");
        push_bytes(ctx, v->bytes);
        duk_put_prop_literal(ctx, -2, "data");
}

static void push_array(duk_context *ctx, uint32_t count, struct cursor *c)
{
        duk_push_array(ctx);
        for (uint32_t i = 0; i < count; i++) {
                value_push(ctx, c);
                duk_put_prop_index(ctx, -2, i);
        }
}

static void define_entries(duk_context *ctx, duk_idx_t idx, uint32_t count, struct cursor *c)
{
        for (uint32_t i = 0; i < count; i++) {
                value_push(ctx, c);
                duk_to_string(ctx, -1);
                value_push(ctx, c);
                duk_def_prop(ctx, idx, DUK_DEFPROP_HAVE_VALUE | DUK_DEFPROP_SET_WEC | DUK_DEFPROP_FORCE);
        }
}

static void push_value(duk_context *ctx, const struct wire_value *v, struct cursor *c)
{
        switch (v->tag) {
        case TAG_NIL:
                duk_push_null(ctx);
                return;
        case TAG_BOOL:
                duk_push_boolean(ctx, v->boolean);
                return;
        case TAG_UINT:
                duk_push_number(ctx, (double)v->uint);
                return;
        case TAG_INT:
                duk_push_number(ctx, (double)v->sint);
                return;
        case TAG_FLOAT:
                duk_push_number(ctx, v->real);
                return;
        case TAG_STR:
                text_push(ctx, v->bytes);
                return;
        case TAG_BIN:
                push_bytes(ctx, v->bytes);
                return;
        case TAG_ARRAY:
                push_array(ctx, v->count, c);
                return;
        case TAG_MAP:
                define_entries(ctx, duk_push_object(ctx), v->count, c);
                return;
        case TAG_EXT:
                push_ext(ctx, v);
                return;
        }
}

void value_push(duk_context *ctx, struct cursor *c)
{
        struct wire_value v;

        duk_require_stack(ctx, SLOTS);
        if (cursor_read(c, &v))
                (void)duk_error(ctx, DUK_ERR_ERROR, "not a MessagePack value");
        push_value(ctx, &v, c);
}

void value_define_entries(duk_context *ctx, duk_idx_t idx, struct cursor *c)
{
        struct wire_value v;

        if (cursor_read(c, &v) || v.tag != TAG_MAP)
                (void)duk_error(ctx, DUK_ERR_ERROR, "not a MessagePack map");
        define_entries(ctx, duk_normalize_index(ctx, idx), v.count, c);
}

duk_idx_t value_push_elements(duk_context *ctx, struct bytes array)
{
        struct cursor c = cursor_over(array);
        struct wire_value head;

        if (!array.len || cursor_read(&c, &head))
                return 0;
        duk_require_stack(ctx, (duk_idx_t)head.count + 1);
        for (uint32_t i = 0; i < head.count; i++)
                value_push(ctx, &c);
        return (duk_idx_t)head.count;
}
