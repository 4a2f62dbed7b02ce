/* Reads MessagePack heads. The one table of head bytes is read_head; everything else is built on it. */
#include "wire/cursor.h"

#include "wire/message.h"

#include <endian.h>
#include <string.h>

const char *cursor_fault_text(int fault)
{
        static const char *const text[] = {
                [CURSOR_TRUNCATED] = "the message ends inside a value",
                [CURSOR_COUNT] = "an array or map announces more elements than there are bytes left",
                [CURSOR_DEPTH] = "values nest deeper than 32",
                [CURSOR_INVALID] = "not a MessagePack value",
        };

        return fault > 0 && fault <= CURSOR_INVALID ? text[fault] : "no fault";
}

static uint64_t load_be(const uint8_t *p, unsigned int width)
{
        uint64_t v = 0;

        for (unsigned int i = 0; i < width; i++)
                v = v << 8 | p[i];
        return v;
}

/* Takes a big-endian number of 1, 2, 4 or 8 bytes. */
static int take(struct cursor *c, unsigned int width, uint64_t *out)
{
        if ((size_t)(c->end - c->at) < width)
                return CURSOR_TRUNCATED;
        *out = load_be(c->at, width);
        c->at += width;
        return 0;
}

static int take_bytes(struct cursor *c, enum wire_tag tag, uint64_t len, struct wire_value *out)
{
        if ((uint64_t)(c->end - c->at) < len)
                return CURSOR_TRUNCATED;
        out->tag = tag;
        out->bytes = (struct bytes){c->at, (size_t)len};
        c->at += len;
        return 0;
}

/* Every element takes at least one byte: a count that cannot be true is refused before anyone believes it. */
static int take_count(struct cursor *c, enum wire_tag tag, uint64_t count, struct wire_value *out)
{
        if (count * (tag == TAG_MAP ? 2 : 1) > (uint64_t)(c->end - c->at))
                return CURSOR_COUNT;
        out->tag = tag;
        out->count = (uint32_t)count;
        return 0;
}

static int take_sized(struct cursor *c, enum wire_tag tag, unsigned int width, struct wire_value *out)
{
        uint64_t n;
        int r = take(c, width, &n);

        if (r)
                return r;
        return tag == TAG_ARRAY || tag == TAG_MAP ? take_count(c, tag, n, out) : take_bytes(c, tag, n, out);
}

static int take_ext(struct cursor *c, uint64_t len, struct wire_value *out)
{
        uint64_t type;
        int r = take(c, 1, &type);

        if (r)
                return r;
        out->ext_type = (int8_t)type;
        return take_bytes(c, TAG_EXT, len, out);
}

static int take_int(struct cursor *c, unsigned int width, bool is_signed, struct wire_value *out)
{
        uint64_t v;
        int r = take(c, width, &v);

        if (r)
                return r;
        if (is_signed && width < 8 && v >> (8 * width - 1))
                v |= ~UINT64_C(0) << (8 * width);
        out->tag = is_signed && (int64_t)v < 0 ? TAG_INT : TAG_UINT;
        out->uint = v;
        return 0;
}

static int take_float(struct cursor *c, unsigned int width, struct wire_value *out)
{
        uint64_t bits;
        int r = take(c, width, &bits);
        uint32_t narrow = (uint32_t)bits;
        float single;

        if (r)
                return r;
        out->tag = TAG_FLOAT;
        if (width == 4) {
                memcpy(&single, &narrow, sizeof(single));
                out->real = (double)single;
        } else {
                memcpy(&out->real, &bits, sizeof(bits));
        }
        return 0;
}

static int take_simple(uint8_t head, struct wire_value *out)
{
        out->tag = head == 0xc0 ? TAG_NIL : TAG_BOOL;
        out->boolean = head == 0xc3;
        return head == 0xc1 ? CURSOR_INVALID : 0;
}

static int take_sized_ext(struct cursor *c, unsigned int width, struct wire_value *out)
{
        uint64_t len;
        int r = take(c, width, &len);

        return r ? r : take_ext(c, len, out);
}

/* Heads 0xc0 to 0xdf, the ones with a byte of their own. */
static int read_marked(struct cursor *c, uint8_t head, struct wire_value *out)
{
        switch (head) {
        case 0xc4 ... 0xc6:
                return take_sized(c, TAG_BIN, 1u << (head - 0xc4), out);
        case 0xc7 ... 0xc9:
                return take_sized_ext(c, 1u << (head - 0xc7), out);
        case 0xca ... 0xcb:
                return take_float(c, 4u << (head - 0xca), out);
        case 0xcc ... 0xcf:
                return take_int(c, 1u << (head - 0xcc), false, out);
        case 0xd0 ... 0xd3:
                return take_int(c, 1u << (head - 0xd0), true, out);
        case 0xd4 ... 0xd8:
                return take_ext(c, UINT64_C(1) << (head - 0xd4), out);
        case 0xd9 ... 0xdb:
                return take_sized(c, TAG_STR, 1u << (head - 0xd9), out);
        case 0xdc ... 0xdd:
                return take_sized(c, TAG_ARRAY, 2u << (head - 0xdc), out);
        case 0xde ... 0xdf:
                return take_sized(c, TAG_MAP, 2u << (head - 0xde), out);
        default:
                return take_simple(head, out);
        }
}

int cursor_read(struct cursor *c, struct wire_value *out)
{
        uint8_t head;

        if (c->at == c->end)
                return CURSOR_TRUNCATED;
        head = *c->at++;
        switch (head) {
        case 0x00 ... 0x7f:
                out->tag = TAG_UINT;
                out->uint = head;
                return 0;
        case 0x80 ... 0x8f:
                return take_count(c, TAG_MAP, head & 0x0f, out);
        case 0x90 ... 0x9f:
                return take_count(c, TAG_ARRAY, head & 0x0f, out);
        case 0xa0 ... 0xbf:
                return take_bytes(c, TAG_STR, head & 0x1f, out);
        case 0xe0 ... 0xff:
                out->tag = TAG_INT;
                out->sint = (int8_t)head;
                return 0;
        default:
                return read_marked(c, head, out);
        }
}

static bool is_container(const struct wire_value *v)
{
        return v->tag == TAG_ARRAY || v->tag == TAG_MAP;
}

/* What is in an array or map. Iterative, so that hostile depth costs no stack: `left` counts the values still due on each
 * level. */
static int skip_inside(struct cursor *c, const struct wire_value *head, unsigned int depth_max)
{
        uint64_t left[WIRE_DEPTH_MAX + 1];
        struct wire_value v = *head;
        unsigned int depth = 0;

        left[0] = 0;
        for (;;) {
                int r;

                if (is_container(&v)) {
                        if (depth == depth_max)
                                return CURSOR_DEPTH;
                        left[++depth] = (uint64_t)v.count * (v.tag == TAG_MAP ? 2 : 1);
                }
                while (depth && !left[depth])
                        depth--;
                if (!depth)
                        return 0;
                r = cursor_read(c, &v);
                if (r)
                        return r;
                left[depth]--;
        }
}

int cursor_skip_within(struct cursor *c, unsigned int depth_max, struct bytes *out)
{
        const uint8_t *start = c->at;
        struct wire_value v;
        int r = cursor_read(c, &v);

        if (!r && is_container(&v))
                r = skip_inside(c, &v, depth_max);
        *out = (struct bytes){start, (size_t)(c->at - start)};
        return r;
}

int cursor_skip(struct cursor *c, struct bytes *out)
{
        return cursor_skip_within(c, WIRE_DEPTH_MAX, out);
}

int cursor_str(struct cursor *c, struct bytes *out)
{
        struct wire_value v;
        int r = cursor_read(c, &v);

        if (r)
                return r;
        if (v.tag != TAG_STR)
                return CURSOR_INVALID;
        *out = v.bytes;
        return 0;
}

int wire_check(struct bytes b)
{
        return wire_check_within(b, WIRE_DEPTH_MAX);
}

int wire_check_within(struct bytes b, unsigned int depth_max)
{
        struct cursor c = cursor_over(b);
        struct bytes whole;
        int r = cursor_skip_within(&c, depth_max, &whole);

        if (r)
                return r;
        return cursor_done(&c) ? 0 : CURSOR_INVALID;
}

bool wire_lookup(struct bytes map, const char *key, struct bytes *out)
{
        struct cursor c = cursor_over(map);
        struct wire_value head;

        if (cursor_read(&c, &head) || head.tag != TAG_MAP)
                return false;
        for (uint32_t i = 0; i < head.count; i++) {
                struct bytes k, value;
                struct cursor kc;
                struct bytes name;

                if (cursor_skip(&c, &k) || cursor_skip(&c, &value))
                        return false;
                kc = cursor_over(k);
                if (!cursor_str(&kc, &name) && wire_str_is(name, key)) {
                        *out = value;
                        return true;
                }
        }
        return false;
}

bool wire_lookup_str(struct bytes map, const char *key, struct bytes *out)
{
        struct bytes value;
        struct cursor c;

        if (!wire_lookup(map, key, &value))
                return false;
        c = cursor_over(value);
        return !cursor_str(&c, out);
}
