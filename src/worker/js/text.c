/* One decoder for both spellings, and an encoder for each. */
#include "worker/js/text.h"

#include <errno.h>
#include <string.h>

enum {
        REPLACEMENT = 0xfffd,
        SURROGATE = 0xd800,
        LOW_SURROGATE = 0xdc00,
        AFTER_SURROGATES = 0xe000,
        ASTRAL = 0x10000
};

static bool is_high(uint32_t c)
{
        return c >= SURROGATE && c < LOW_SURROGATE;
}

static bool is_low(uint32_t c)
{
        return c >= LOW_SURROGATE && c < AFTER_SURROGATES;
}

/* Length of the sequence that a byte begins, and the bits that it gives; 0 for a byte that begins none. */
static unsigned int head_length(uint8_t head, uint32_t *bits)
{
        static const struct {
                uint8_t first, last, mask, length;
        } heads[] = {
                {0x00, 0x7f, 0x7f, 1}, {0xc2, 0xdf, 0x1f, 2}, {0xe0, 0xef, 0x0f, 3}, {0xf0, 0xf4, 0x07, 4}};

        for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
                if (head >= heads[i].first && head <= heads[i].last) {
                        *bits = head & heads[i].mask;
                        return heads[i].length;
                }
        return 0;
}

/* One character, lone surrogates included; a byte that fits nowhere is U+FFFD. */
static uint32_t take_character(const uint8_t **at, const uint8_t *end)
{
        static const uint32_t least[] = {0, 0, 0x80, 0x800, ASTRAL};
        const uint8_t *p = *at;
        uint32_t c = 0;
        unsigned int n = head_length(*p, &c);

        (*at)++;
        if (!n || (size_t)(end - p) < n)
                return REPLACEMENT;
        for (unsigned int i = 1; i < n; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return REPLACEMENT;
                c = c << 6 | (p[i] & 0x3f);
        }
        if (c < least[n] || c > 0x10ffff)
                return REPLACEMENT;
        *at = p + n;
        return c;
}

/* The same, two surrogates joined to the character that they stand for, and a lone one replaced. */
static uint32_t take_joined(const uint8_t **at, const uint8_t *end)
{
        uint32_t c = take_character(at, end), low;
        const uint8_t *ahead = *at;

        if (!is_high(c))
                return is_low(c) ? REPLACEMENT : c;
        if (ahead == end)
                return REPLACEMENT;
        low = take_character(&ahead, end);
        if (!is_low(low))
                return REPLACEMENT;
        *at = ahead;
        return ASTRAL + ((c - SURROGATE) << 10) + (low - LOW_SURROGATE);
}

static uint8_t *put(uint8_t *out, uint32_t c)
{
        static const uint8_t heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
        unsigned int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < ASTRAL ? 3 : 4;

        if (n == 1) {
                *out = (uint8_t)c;
                return out + 1;
        }
        for (unsigned int i = n; i-- > 1; c >>= 6)
                out[i] = (uint8_t)(0x80 | (c & 0x3f));
        out[0] = (uint8_t)(heads[n] | c);
        return out + n;
}

static uint8_t *put_cesu8(uint8_t *out, uint32_t c)
{
        if (c < ASTRAL)
                return put(out, c);
        c -= ASTRAL;
        return put(put(out, SURROGATE + (c >> 10)), LOW_SURROGATE + (c & 0x3ff));
}

static bool is_ascii(struct bytes s)
{
        for (size_t i = 0; i < s.len; i++)
                if (s.data[i] & 0x80)
                        return false;
        return true;
}

void text_push(duk_context *ctx, struct bytes utf8)
{
        const uint8_t *at = utf8.data, *end = utf8.data + utf8.len;
        uint8_t *start, *out;

        if (is_ascii(utf8)) {
                duk_push_lstring(ctx, (const char *)utf8.data, utf8.len);
                return;
        }
        /* Three bytes for each are enough: a byte replaced is three, and four bytes become six. */
        start = out = duk_push_fixed_buffer(ctx, utf8.len * 3);
        while (at < end)
                out = put_cesu8(out, take_character(&at, end));
        duk_push_lstring(ctx, (const char *)start, (size_t)(out - start));
        duk_remove(ctx, -2);
}

int text_append_engine(struct buf *out, struct bytes utf8)
{
        const uint8_t *at = utf8.data, *end = utf8.data + utf8.len;
        uint8_t *put_at;
        int r;

        if (is_ascii(utf8))
                return buf_append(out, utf8.data, utf8.len);
        r = buf_reserve(out, utf8.len * 3);
        if (r < 0)
                return r;
        put_at = out->data + out->len;
        while (at < end)
                put_at = put_cesu8(put_at, take_character(&at, end));
        out->len = (size_t)(put_at - out->data);
        return 0;
}

size_t text_utf8_size(struct bytes s)
{
        const uint8_t *at = s.data, *end = s.data + s.len;
        uint8_t scratch[4];
        size_t n = 0;

        if (is_ascii(s))
                return s.len;
        while (at < end)
                n += (size_t)(put(scratch, take_joined(&at, end)) - scratch);
        return n;
}

void text_write_utf8(uint8_t *out, struct bytes s)
{
        const uint8_t *at = s.data, *end = s.data + s.len;

        if (is_ascii(s)) {
                if (s.len)
                        memcpy(out, s.data, s.len);
                return;
        }
        while (at < end)
                out = put(out, take_joined(&at, end));
}

/* UTF-8 takes at least two thirds of what the engine takes: four bytes for two surrogates of three. */
bool text_is_giant(const struct buf *out, struct bytes s)
{
        return out->limit && s.len / 2 > out->limit;
}

int text_append(struct buf *out, struct bytes s)
{
        size_t n;
        int r;

        if (text_is_giant(out, s))
                return -ENOBUFS;
        n = text_utf8_size(s);
        r = buf_reserve(out, n);
        if (r < 0)
                return r;
        text_write_utf8(out->data + out->len, s);
        out->len += n;
        return 0;
}

size_t text_part(struct bytes s, size_t room)
{
        const uint8_t *at = s.data, *end = s.data + s.len;
        uint8_t scratch[4];

        while (at < end) {
                const uint8_t *next = at;
                size_t n = (size_t)(put(scratch, take_joined(&next, end)) - scratch);

                if (n > room)
                        break;
                room -= n;
                at = next;
        }
        return (size_t)(at - s.data);
}

bool text_append_part(struct buf *out, struct bytes s)
{
        size_t room = out->limit > buf_size(out) ? out->limit - buf_size(out) : 0;

        if (!text_append(out, s))
                return true;
        s.len = text_part(s, room);
        text_append(out, s);
        return false;
}

struct bytes text_at(duk_context *ctx, duk_idx_t idx)
{
        size_t n;
        const char *s = duk_get_lstring(ctx, idx, &n);

        return (struct bytes){(const uint8_t *)s, s ? n : 0};
}
