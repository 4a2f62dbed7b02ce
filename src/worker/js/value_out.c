/*
 * What becomes what:
 *
 *   undefined, null                  nil
 *   true, false                      bool
 *   whole number within +-2^53       integer
 *   any other number                 float (NaN, Infinity and -0 too)
 *   string                           str; a lone surrogate becomes U+FFFD
 *   function, symbol                 left out of an object; nil anywhere else
 *   Date                             timestamp (extension -1); nil if it is invalid
 *   Uint8Array, Uint8ClampedArray, ArrayBuffer, DataView, Buffer     bin
 *   any other typed array            array of numbers
 *   an object with toJSON            what toJSON(key) returns, without asking that one's toJSON again
 *   array                            array, its holes nil
 *   RegExp                           its source as str
 *   Number, String, Boolean object   the primitive
 *   Error                            {name, message, stack} as far as they are strings
 *   any other object                 map of its own enumerable properties with string keys
 *
 * Refused: a cycle (TASK_ERROR, the message names the path), more than 28 levels and more than maxResultBytes
 * (RESULT_TOO_LARGE). A getter that throws fails the task with what it threw.
 */
#include "worker/js/value_out.h"

#include "worker/js/path.h"
#include "worker/js/text.h"
#include "worker/js/world.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { SLOTS = 8, TIMESTAMP_BYTES = 12 };

struct writer {
        duk_context *ctx;
        struct pack *p;
        struct wire_refusal *why;
        unsigned int depth;
};

static int write_value(struct writer *w, duk_idx_t idx, struct step *step);

/* ---- refusals ---- */

static int refuse_size(struct writer *w)
{
        if (w->p->error == -ENOMEM)
                return wire_refuse(w->why, WIRE_OUT_OF_MEMORY, "there is no memory for the result");
        return wire_refuse(w->why, WIRE_RESULT_TOO_LARGE, "the result is larger than queue.maxResultBytes");
}

static int refuse_cycle(struct writer *w, const struct step *at, const struct step *ancestor)
{
        struct path path = {.len = 0}, target = {.len = 0};

        path_fill(&path, at);
        path_fill(&target, ancestor);
        return wire_refuse(w->why, WIRE_TASK_ERROR, "the result is cyclic: %.*s is %.*s again", (int)path.len,
                path.text, (int)target.len, target.text);
}

/* A new level: refused if the object is one that we are inside of, or if it is too deep. */
static int enter(struct writer *w, duk_idx_t idx, struct step *step)
{
        step->object = duk_get_heapptr(w->ctx, idx);
        for (const struct step *s = step->up; s; s = s->up)
                if (s->object == step->object)
                        return refuse_cycle(w, step, s);
        if (w->depth == VALUE_DEPTH_MAX)
                return wire_refuse(w->why, WIRE_RESULT_TOO_LARGE, "the result nests deeper than %d levels",
                        VALUE_DEPTH_MAX);
        w->depth++;
        return 0;
}

/* ---- primitives ---- */

static void write_number(struct pack *p, double d)
{
        if (d == trunc(d) && fabs(d) <= 0x1p53 && !(d == 0 && signbit(d)))
                pack_int(p, (int64_t)d);
        else
                pack_double(p, d);
}

static void write_string(struct writer *w, duk_idx_t idx)
{
        struct bytes s = text_at(w->ctx, idx);

        if (text_is_giant(w->p->out, s)) {
                w->p->error = -ENOBUFS;
                return;
        }
        msgpack_pack_str(&w->p->mp, text_utf8_size(s));
        if (!w->p->error)
                w->p->error = text_append(w->p->out, s);
}

/* True when the value was a primitive (or has no counterpart) and is written. */
static bool write_primitive(struct writer *w, duk_idx_t idx)
{
        duk_context *ctx = w->ctx;

        switch (duk_get_type(ctx, idx)) {
        case DUK_TYPE_OBJECT:
        case DUK_TYPE_BUFFER:
                return false;
        case DUK_TYPE_BOOLEAN:
                pack_bool(w->p, duk_get_boolean(ctx, idx));
                return true;
        case DUK_TYPE_NUMBER:
                write_number(w->p, duk_get_number(ctx, idx));
                return true;
        case DUK_TYPE_STRING:
                if (duk_is_symbol(ctx, idx))
                        pack_nil(w->p);
                else
                        write_string(w, idx);
                return true;
        default:
                pack_nil(w->p);
                return true;
        }
}

/* ---- objects of the engine's own classes ---- */

static const struct {
        enum world_object prototype;
        uint8_t element;
} number_arrays[] = {
        {WORLD_INT8_PROTOTYPE, 1},
        {WORLD_INT16_PROTOTYPE, 2},
        {WORLD_UINT16_PROTOTYPE, 2},
        {WORLD_INT32_PROTOTYPE, 4},
        {WORLD_UINT32_PROTOTYPE, 4},
        {WORLD_FLOAT32_PROTOTYPE, 4},
        {WORLD_FLOAT64_PROTOTYPE, 8},
};

static void write_buffer(struct writer *w, duk_idx_t idx)
{
        size_t n;
        const void *data = duk_get_buffer_data(w->ctx, idx, &n);

        for (size_t i = 0; i < sizeof(number_arrays) / sizeof(number_arrays[0]); i++) {
                if (!world_has_prototype(w->ctx, idx, number_arrays[i].prototype))
                        continue;
                n /= number_arrays[i].element;
                pack_array(w->p, n);
                for (size_t k = 0; k < n && !w->p->error; k++) {
                        duk_get_prop_index(w->ctx, idx, (duk_uarridx_t)k);
                        write_number(w->p, duk_get_number(w->ctx, -1));
                        duk_pop(w->ctx);
                }
                return;
        }
        pack_bin(w->p, (struct bytes){data, data ? n : 0});
}

static void write_timestamp(struct writer *w, double ms)
{
        double seconds = floor(ms / 1e3);
        uint8_t bytes[TIMESTAMP_BYTES];
        uint32_t nanoseconds;
        uint64_t whole;

        if (!isfinite(ms)) {
                pack_nil(w->p);
                return;
        }
        nanoseconds = (uint32_t)((ms - seconds * 1e3) * 1e6);
        whole = (uint64_t)(int64_t)seconds;
        for (int i = 0; i < 4; i++)
                bytes[i] = (uint8_t)(nanoseconds >> (24 - 8 * i));
        for (int i = 0; i < 8; i++)
                bytes[4 + i] = (uint8_t)(whole >> (56 - 8 * i));
        msgpack_pack_ext(&w->p->mp, sizeof(bytes), -1);
        msgpack_pack_ext_body(&w->p->mp, bytes, sizeof(bytes));
}

/* Objects that stand for a primitive: their own prototype's method gives it, whatever the task made of the
 * names. */
static const struct {
        enum world_object prototype, method;
} wrappers[] = {
        {WORLD_NUMBER_PROTOTYPE, WORLD_NUMBER_VALUE},
        {WORLD_STRING_PROTOTYPE, WORLD_STRING_VALUE},
        {WORLD_BOOLEAN_PROTOTYPE, WORLD_BOOLEAN_VALUE},
        {WORLD_REGEXP_PROTOTYPE, WORLD_REGEXP_TO_STRING},
        {WORLD_DATE_PROTOTYPE, WORLD_DATE_GET_TIME},
};

/* Pushes what the object stands for, or nothing: an object may have a class's prototype without being of the
 * class. */
static bool push_unwrapped(struct writer *w, duk_idx_t idx, bool dates)
{
        for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
                if ((wrappers[i].prototype == WORLD_DATE_PROTOTYPE) != dates ||
                        !world_has_prototype(w->ctx, idx, wrappers[i].prototype))
                        continue;
                world_push(w->ctx, wrappers[i].method);
                duk_dup(w->ctx, idx);
                if (duk_pcall_method(w->ctx, 0) == DUK_EXEC_SUCCESS)
                        return true;
                duk_pop(w->ctx);
        }
        return false;
}

/* ---- arrays and maps ---- */

static int write_array(struct writer *w, duk_idx_t idx, struct step *at)
{
        uint32_t n = (uint32_t)duk_get_length(w->ctx, idx);
        int r;

        /* Each element takes a byte: a sparse giant is refused before its holes are written. */
        if (w->p->out->limit && n > w->p->out->limit)
                return refuse_size(w);
        pack_array(w->p, n);
        for (uint32_t i = 0; i < n; i++) {
                struct step step = {.up = at, .index = i};

                duk_get_prop_index(w->ctx, idx, i);
                r = write_value(w, duk_get_top_index(w->ctx), &step);
                if (r)
                        return r;
                duk_pop(w->ctx);
        }
        return 0;
}

static bool is_left_out(duk_context *ctx, duk_idx_t idx)
{
        return duk_is_callable(ctx, idx) || duk_is_symbol(ctx, idx);
}

static int write_map(struct writer *w, duk_idx_t idx, struct step *at)
{
        size_t mark = pack_map_open(w->p);
        uint32_t n = 0;

        duk_enum(w->ctx, idx, DUK_ENUM_OWN_PROPERTIES_ONLY);
        while (duk_next(w->ctx, -1, 0)) {
                struct step step = {.up = at, .key = text_at(w->ctx, -1)};
                int r;

                duk_dup(w->ctx, -1);
                duk_get_prop(w->ctx, idx);
                if (!is_left_out(w->ctx, -1)) {
                        write_string(w, duk_normalize_index(w->ctx, -2));
                        r = write_value(w, duk_get_top_index(w->ctx), &step);
                        if (r)
                                return r;
                        n++;
                }
                duk_pop_2(w->ctx);
        }
        duk_pop(w->ctx);
        pack_map_close(w->p, mark, n);
        return 0;
}

static int write_error(struct writer *w, duk_idx_t idx)
{
        static const char *const keys[] = {"name", "message", "stack"};
        size_t mark = pack_map_open(w->p);
        uint32_t n = 0;

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                duk_get_prop_string(w->ctx, idx, keys[i]);
                if (duk_is_string(w->ctx, -1) && !duk_is_symbol(w->ctx, -1)) {
                        pack_text(w->p, keys[i]);
                        write_string(w, duk_get_top_index(w->ctx));
                        n++;
                }
                duk_pop(w->ctx);
        }
        pack_map_close(w->p, mark, n);
        return 0;
}

/* ---- any value ---- */

/* Pushes what toJSON returns, if the object has one. */
static bool push_to_json(struct writer *w, duk_idx_t idx, const struct step *step)
{
        duk_context *ctx = w->ctx;

        duk_get_prop_literal(ctx, idx, "toJSON");
        if (!duk_is_callable(ctx, -1)) {
                duk_pop(ctx);
                return false;
        }
        duk_dup(ctx, idx);
        if (step->key.data)
                duk_push_lstring(ctx, (const char *)step->key.data, step->key.len);
        else if (step->up)
                duk_push_sprintf(ctx, "%u", step->index);
        else
                duk_push_literal(ctx, "");
        duk_call_method(ctx, 1);
        return true;
}

static int write_container(struct writer *w, duk_idx_t idx, struct step *step)
{
        int r = enter(w, idx, step);

        if (r)
                return r;
        if (duk_is_array(w->ctx, idx))
                r = write_array(w, idx, step);
        else if (duk_is_error(w->ctx, idx))
                r = write_error(w, idx);
        else
                r = write_map(w, idx, step);
        w->depth--;
        return r;
}

/* A value that toJSON was asked of already. */
static int write_plain(struct writer *w, duk_idx_t idx, struct step *step)
{
        if (write_primitive(w, idx))
                return 0;
        if (duk_is_buffer_data(w->ctx, idx)) {
                write_buffer(w, idx);
        } else if (push_unwrapped(w, idx, true)) {
                write_timestamp(w, duk_get_number(w->ctx, -1));
                duk_pop(w->ctx);
        } else if (duk_is_callable(w->ctx, idx)) {
                pack_nil(w->p);
        } else if (push_unwrapped(w, idx, false)) {
                write_primitive(w, duk_get_top_index(w->ctx));
                duk_pop(w->ctx);
        } else {
                return write_container(w, idx, step);
        }
        return 0;
}

/* Buffers and dates come before toJSON, since the engine gives them one that loses what they are. */
static bool asks_to_json(struct writer *w, duk_idx_t idx)
{
        return duk_is_object(w->ctx, idx) && !duk_is_buffer_data(w->ctx, idx) &&
               !world_has_prototype(w->ctx, idx, WORLD_DATE_PROTOTYPE);
}

static int write_value(struct writer *w, duk_idx_t idx, struct step *step)
{
        int r;

        duk_require_stack(w->ctx, SLOTS);
        if (asks_to_json(w, idx) && push_to_json(w, idx, step)) {
                r = write_plain(w, duk_get_top_index(w->ctx), step);
                duk_pop(w->ctx);
        } else {
                r = write_plain(w, idx, step);
        }
        if (!r && w->p->error)
                return refuse_size(w);
        return r;
}

int value_write(duk_context *ctx, duk_idx_t idx, struct pack *p, struct wire_refusal *why)
{
        struct writer w = {.ctx = ctx, .p = p, .why = why};
        struct step root = {.up = NULL};

        return write_value(&w, duk_normalize_index(ctx, idx), &root);
}
