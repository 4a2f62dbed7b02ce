/* The decoder: one function a type, in a table; a field is checked where it is read and refused by its name. */
#include "base/utf8.h"
#include "wire/codec.h"
#include "wire/cursor.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int wire_refuse(struct wire_refusal *why, enum wire_code code, const char *format, ...)
{
        va_list ap;

        why->code = code;
        va_start(ap, format);
        vsnprintf(why->message, sizeof(why->message), format, ap);
        va_end(ap);
        /* What a peer sent may be quoted in it, or cut; a string on the wire is UTF-8 all the same. */
        utf8_repair(why->message);
        return 1;
}

/* ---- the envelope ---- */

static int take_op(struct wire_head *h, const struct wire_value *v)
{
        h->op = v->bytes;
        return v->tag != TAG_STR || !v->bytes.len;
}

static int take_event(struct wire_head *h, const struct wire_value *v)
{
        h->event = v->bytes;
        return v->tag != TAG_STR || !v->bytes.len;
}

static int take_seq(struct wire_head *h, const struct wire_value *v)
{
        h->has_seq = v->tag == TAG_UINT;
        h->seq = h->has_seq ? v->uint : 0;
        return !h->has_seq;
}

static int take_ok(struct wire_head *h, const struct wire_value *v)
{
        h->ok = v->boolean;
        h->is_reply = true;
        return v->tag != TAG_BOOL;
}

static const struct {
        const char *key;
        int (*take)(struct wire_head *, const struct wire_value *);
} envelope[] = {{"op", take_op}, {"event", take_event}, {"seq", take_seq}, {"ok", take_ok}};

static int take_envelope_entry(struct wire_head *head, unsigned int *seen, struct bytes key, struct bytes value,
        struct wire_refusal *why)
{
        for (size_t i = 0; i < sizeof(envelope) / sizeof(envelope[0]); i++) {
                struct cursor c = cursor_over(value);
                struct wire_value v;

                if (!wire_str_is(key, envelope[i].key))
                        continue;
                if (*seen >> i & 1)
                        return wire_refuse(why, WIRE_BAD_FRAME, "%s occurs twice", envelope[i].key);
                *seen |= 1u << i;
                if (cursor_read(&c, &v) || envelope[i].take(head, &v))
                        return wire_refuse(why, WIRE_BAD_FRAME, "%s has the wrong type", envelope[i].key);
        }
        return 0;
}

/* The next key and value of a map, checked. Keys that are no strings are legal and unknown: they come back empty. */
static int next_entry(struct cursor *c, unsigned int depth_max, struct bytes *key, struct bytes *value)
{
        struct cursor before = *c;
        struct wire_value k;
        int r = cursor_read(c, &k);

        if (!r && (k.tag == TAG_ARRAY || k.tag == TAG_MAP)) {
                *c = before;
                r = cursor_skip_within(c, depth_max, key);
        }
        if (r)
                return r;
        *key = k.tag == TAG_STR ? k.bytes : (struct bytes){0};
        return cursor_skip_within(c, depth_max, value);
}

int wire_open(struct bytes frame, struct wire_head *head, struct wire_refusal *why)
{
        return wire_open_within(frame, WIRE_DEPTH_MAX, head, why);
}

static int refuse_fault(int fault, unsigned int depth_max, struct wire_refusal *why)
{
        if (fault == CURSOR_DEPTH)
                return wire_refuse(why, WIRE_BAD_FRAME, "values nest deeper than %u", depth_max);
        return wire_refuse(why, WIRE_BAD_FRAME, "%s", cursor_fault_text(fault));
}

static int refuse_no_map(struct bytes frame, unsigned int depth_max, struct wire_refusal *why)
{
        int r = wire_check_within(frame, depth_max);

        return r ? refuse_fault(r, depth_max, why) : wire_refuse(why, WIRE_BAD_FRAME, "a frame must hold one map");
}

/* The one check of a frame: every value in it is passed over, at no greater depth. */
int wire_open_within(struct bytes frame, unsigned int depth_max, struct wire_head *head, struct wire_refusal *why)
{
        struct cursor c = cursor_over(frame);
        struct wire_value map;
        unsigned int seen = 0;
        int r = cursor_read(&c, &map);

        *head = (struct wire_head){0};
        if (r || map.tag != TAG_MAP)
                return refuse_no_map(frame, depth_max, why);
        for (uint32_t i = 0; i < map.count; i++) {
                struct bytes key, value;

                r = next_entry(&c, depth_max - 1, &key, &value);
                if (r)
                        return refuse_fault(r, depth_max, why);
                r = take_envelope_entry(head, &seen, key, value, why);
                if (r)
                        return r;
        }
        if (!cursor_done(&c))
                return refuse_fault(CURSOR_INVALID, depth_max, why);
        if (!head->op.len + !head->event.len + !head->is_reply != 2)
                return wire_refuse(why, WIRE_BAD_FRAME, "a frame must have exactly one of op, event and ok");
        return 0;
}

/* ---- the fields ---- */

struct field_read {
        const struct wire_message *m;
        const struct wire_field *f;
        struct bytes raw;
        struct wire_value v;
        void *member;
        struct wire_refusal *why;
};

static int refuse_type(struct field_read *f, const char *wanted)
{
        return wire_refuse(f->why, f->m->fault, "%s.%s must be %s", f->m->name, f->f->name, wanted);
}

static int read_bool(struct field_read *f)
{
        if (f->v.tag != TAG_BOOL)
                return refuse_type(f, "true or false");
        *(bool *)f->member = f->v.boolean;
        return 0;
}

/* Languages without integers send 3.0 for 3: a float that is a whole number counts as one. */
static bool whole_number(const struct wire_value *v, int64_t *out)
{
        if (v->tag == TAG_FLOAT && v->real >= -0x1p63 && v->real < 0x1p63 && v->real == trunc(v->real))
                *out = (int64_t)v->real;
        else if (v->tag == TAG_UINT && v->uint <= INT64_MAX)
                *out = (int64_t)v->uint;
        else if (v->tag == TAG_INT)
                *out = v->sint;
        else
                return false;
        return true;
}

static int read_integer(struct field_read *f)
{
        int64_t n;

        if (!whole_number(&f->v, &n))
                return refuse_type(f, "a whole number");
        if (n < f->f->min || n > f->f->max)
                return wire_refuse(f->why, f->m->fault, "%s.%s must be from %" PRId64 " to %" PRId64, f->m->name,
                        f->f->name, f->f->min, f->f->max);
        *(int64_t *)f->member = n;
        return 0;
}

static int read_number(struct field_read *f)
{
        int64_t n;

        if (f->v.tag == TAG_FLOAT)
                *(double *)f->member = f->v.real;
        else if (whole_number(&f->v, &n))
                *(double *)f->member = (double)n;
        else
                return refuse_type(f, "a number");
        return 0;
}

static int check_length(struct field_read *f, size_t len)
{
        if (len >= (uint64_t)f->f->min && len <= (uint64_t)f->f->max)
                return 0;
        if (f->f->min == f->f->max)
                return wire_refuse(f->why, f->m->fault, "%s.%s must have %" PRId64 " bytes, not %zu", f->m->name, f->f->name,
                        f->f->min, len);
        return wire_refuse(f->why, len > (uint64_t)f->f->max && f->f->max >= 65536 ? WIRE_TOO_LARGE : f->m->fault,
                "%s.%s must have %" PRId64 " to %" PRId64 " bytes, not %zu", f->m->name, f->f->name, f->f->min,
                f->f->max, len);
}

static int read_bytes(struct field_read *f)
{
        if (f->v.tag != (f->f->type == WIRE_STR ? TAG_STR : TAG_BIN))
                return refuse_type(f, f->f->type == WIRE_STR ? "a string" : "binary");
        *(struct bytes *)f->member = f->v.bytes;
        return check_length(f, f->v.bytes.len);
}

static int read_raw(struct field_read *f)
{
        if (f->f->type == WIRE_MAP && f->v.tag != TAG_MAP)
                return refuse_type(f, "a map");
        if (f->f->type == WIRE_ARRAY && f->v.tag != TAG_ARRAY)
                return refuse_type(f, "an array");
        *(struct bytes *)f->member = f->raw;
        return check_length(f, f->raw.len);
}

static int read_word(struct field_read *f)
{
        int index = f->v.tag == TAG_STR ? wire_word_index(f->f->words, f->v.bytes) : -1;

        if (index < 0)
                return wire_refuse(f->why, f->m->fault, "%s.%s must be one of %s", f->m->name, f->f->name, f->f->words);
        *(uint64_t *)f->member = (uint64_t)index;
        return 0;
}

static int read_nested(struct field_read *f)
{
        if (f->v.tag != TAG_MAP)
                return refuse_type(f, "a map");
        return wire_decode(f->f->nested, f->raw, f->member, f->why);
}

static int (*const readers[])(struct field_read *) = {
        [WIRE_BOOL] = read_bool, [WIRE_UINT] = read_integer, [WIRE_INT] = read_integer, [WIRE_NUM] = read_number,
        [WIRE_STR] = read_bytes, [WIRE_BIN] = read_bytes,    [WIRE_MAP] = read_raw,     [WIRE_ARRAY] = read_raw,
        [WIRE_ANY] = read_raw,   [WIRE_WORD] = read_word,    [WIRE_NEST] = read_nested,
};

static bool is_named(const struct wire_field *f, struct bytes key)
{
        return f->name_len == key.len && !memcmp(f->name, key.data, key.len);
}

/* Whoever is built on the same table sends the fields in its order: the search begins behind the last one. */
static int find_field(const struct wire_message *m, struct bytes key, int last)
{
        for (int i = last + 1; i < m->n_fields; i++)
                if (is_named(&m->fields[i], key))
                        return i;
        for (int i = 0; i <= last; i++)
                if (is_named(&m->fields[i], key))
                        return i;
        return -1;
}

/* null for an optional field means that it is absent: that is what most languages send for "not given". */
static int decode_entry(const struct wire_message *m, int i, struct bytes value, void *out, uint32_t *seen,
        struct wire_refusal *why)
{
        struct field_read f = {.m = m, .raw = value, .why = why};
        struct cursor c = cursor_over(value);
        uint32_t *has = out;
        int r;

        f.f = &m->fields[i];
        f.member = (char *)out + f.f->offset;
        if (*seen >> i & 1)
                return wire_refuse(why, WIRE_BAD_FRAME, "%s.%s occurs twice", m->name, f.f->name);
        *seen |= 1u << i;
        r = cursor_read(&c, &f.v);
        if (r)
                return wire_refuse(why, WIRE_BAD_FRAME, "%s", cursor_fault_text(r));
        if (f.v.tag == TAG_NIL && f.f->need == WIRE_MAY && f.f->type != WIRE_ANY)
                return 0;
        *has |= 1u << i;
        return readers[f.f->type](&f);
}

static int check_needed(const struct wire_message *m, const void *out, struct wire_refusal *why)
{
        const uint32_t *has = out;

        for (int i = 0; i < m->n_fields; i++)
                if (m->fields[i].need == WIRE_MUST && !(*has >> i & 1))
                        return wire_refuse(why, m->fault, "%s.%s is missing", m->name, m->fields[i].name);
        return 0;
}

int wire_decode(const struct wire_message *m, struct bytes map, void *out, struct wire_refusal *why)
{
        struct cursor c = cursor_over(map);
        struct wire_value head;
        uint32_t seen = 0;
        int last = -1;

        memset(out, 0, m->size);
        if (cursor_read(&c, &head) || head.tag != TAG_MAP)
                return wire_refuse(why, m->fault, "%s must be a map", m->name);
        for (uint32_t i = 0; i < head.count; i++) {
                struct bytes key, value;
                int r = next_entry(&c, WIRE_DEPTH_MAX, &key, &value), field;

                if (r)
                        return wire_refuse(why, WIRE_BAD_FRAME, "%s", cursor_fault_text(r));
                field = find_field(m, key, last);
                if (field < 0)
                        continue;
                last = field;
                r = decode_entry(m, field, value, out, &seen, why);
                if (r)
                        return r;
        }
        return check_needed(m, out, why);
}
