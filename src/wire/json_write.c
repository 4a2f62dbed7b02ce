/*
 * MessagePack to JSON text, straight from the bytes: a tree would cost a copy, and jansson prints 0.1 with seventeen
 * digits and knows no unsigned 64-bit integer.
 */
#include "wire/json.h"

#include "base/utf8.h"
#include "wire/cursor.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct writer {
        struct buf *out;
        int error; /* the first one, checked at the end */
        bool in_key;
};

static void put(struct writer *w, const void *data, size_t len)
{
        if (!w->error && len)
                w->error = buf_append(w->out, data, len);
}

static void put_text(struct writer *w, const char *text)
{
        put(w, text, strlen(text));
}

/* ---- strings ---- */

static bool is_plain(uint8_t c)
{
        return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_escaped(struct writer *w, uint8_t c)
{
        static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";
        char text[8];

        for (size_t i = 0; i < sizeof(named) - 1; i += 2) {
                if (c == (uint8_t)named[i]) {
                        put(w, (const char[]){'\\', named[i + 1]}, 2);
                        return;
                }
        }
        snprintf(text, sizeof(text), "\\u%04x", c);
        put_text(w, text);
}

/* One character that is not plain; gives how many bytes it took. */
static size_t put_special(struct writer *w, const uint8_t *s, size_t left)
{
        size_t n = utf8_length(s, left);

        if (!n) {
                put_text(w, "\xef\xbf\xbd");
                return 1;
        }
        /* U+0080 to U+009F steer terminals as those below U+0020 do. */
        if (n > 1 && (s[0] != 0xc2 || s[1] >= 0xa0))
                put(w, s, n);
        else
                put_escaped(w, s[n - 1]);
        return n;
}

static void put_string(struct writer *w, struct bytes s)
{
        put_text(w, "\"");
        for (size_t i = 0; i < s.len;) {
                size_t run = 0;

                while (i + run < s.len && is_plain(s.data[i + run]))
                        run++;
                put(w, s.data + i, run);
                i += run;
                if (i < s.len)
                        i += put_special(w, s.data + i, s.len - i);
        }
        put_text(w, "\"");
}

static void put_base64(struct writer *w, struct bytes b)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

        put_text(w, "\"");
        for (size_t i = 0; i < b.len; i += 3) {
                size_t n = b.len - i < 3 ? b.len - i : 3;
                uint32_t v = (uint32_t)b.data[i] << 16 | (n > 1 ? (uint32_t)b.data[i + 1] << 8 : 0) |
                             (n > 2 ? b.data[i + 2] : 0);
                char quad[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                        n > 2 ? digits[v & 63] : '='};

                put(w, quad, sizeof(quad));
        }
        put_text(w, "\"");
}

/* ---- numbers and times ---- */

static void put_integer(struct writer *w, const struct wire_value *v)
{
        char text[32];

        if (v->tag == TAG_UINT)
                snprintf(text, sizeof(text), "%" PRIu64, v->uint);
        else
                snprintf(text, sizeof(text), "%" PRId64, v->sint);
        put_text(w, text);
}

/* As few digits as read back the same. A program may have set a locale whose decimal point is a comma. */
static void put_real(struct writer *w, double real)
{
        char text[40], *comma;

        if (!isfinite(real))
                return put_text(w, "null");
        for (int digits = 15; digits <= 17; digits++) {
                snprintf(text, sizeof(text), "%.*g", digits, real);
                if (strtod(text, NULL) == real)
                        break;
        }
        comma = strchr(text, ',');
        if (comma)
                *comma = '.';
        put_text(w, text);
}

static uint64_t load_be(const uint8_t *p, size_t n)
{
        uint64_t v = 0;

        for (size_t i = 0; i < n; i++)
                v = v << 8 | p[i];
        return v;
}

/* The last second that JavaScript's Date has, either way from 1970. */
#define DATE_MAX INT64_C(8640000000000)

/* The three forms of MessagePack's timestamp. False for any other length, nanoseconds of a second or more, no Date. */
static bool read_timestamp(struct bytes b, int64_t *seconds, uint64_t *nanoseconds)
{
        *nanoseconds = 0;
        if (b.len == 4) {
                *seconds = (int64_t)load_be(b.data, 4);
        } else if (b.len == 8) {
                *nanoseconds = load_be(b.data, 8) >> 34;
                *seconds = (int64_t)(load_be(b.data, 8) & 0x3ffffffff);
        } else if (b.len == 12) {
                *nanoseconds = load_be(b.data, 4);
                *seconds = (int64_t)load_be(b.data + 4, 8);
        } else {
                return false;
        }
        return *nanoseconds < 1000000000 && *seconds >= -DATE_MAX && *seconds <= DATE_MAX;
}

/* As JavaScript writes its Dates; years outside 0 to 9999 take a sign and six digits. */
static bool put_timestamp(struct writer *w, struct bytes b)
{
        char text[64];
        uint64_t nanoseconds;
        int64_t seconds;
        struct tm tm;
        int year;

        if (!read_timestamp(b, &seconds, &nanoseconds) || !gmtime_r(&(time_t){seconds}, &tm))
                return false;
        year = tm.tm_year + 1900;
        snprintf(text, sizeof(text),
                year < 0 || year > 9999 ? "\"%+07d-%02d-%02dT%02d:%02d:%02d.%03dZ\""
                                        : "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"",
                year, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                (int)(nanoseconds / 1000000));
        put_text(w, text);
        return true;
}

static void put_extension(struct writer *w, const struct wire_value *v)
{
        char text[32];

        if (v->ext_type == -1 && put_timestamp(w, v->bytes))
                return;
        snprintf(text, sizeof(text), "{\"type\":%d,\"data\":", v->ext_type);
        put_text(w, text);
        put_base64(w, v->bytes);
        put_text(w, "}");
}

/* ---- values ---- */

static void put_value(struct writer *w, struct cursor *c);

/* Objects have string keys only: another one is written as JSON, and that as a string. One inside of such a key is written
 * as base64 instead: each quoting doubles the backslashes of the one before, up to gigabytes for a hundred bytes. */
static void put_key(struct writer *w, struct cursor *c)
{
        struct buf text;
        struct writer inner = {.out = &text, .in_key = true};
        struct cursor key = *c;
        struct bytes raw;

        if (!cursor_str(&key, &raw))
                return put_value(w, c);
        if (w->in_key) {
                cursor_skip(c, &raw);
                return put_base64(w, raw);
        }
        buf_init(&text, 0);
        put_value(&inner, c);
        w->error = w->error ? w->error : inner.error;
        put_string(w, buf_bytes(&text));
        buf_fini(&text);
}

static void put_array(struct writer *w, struct cursor *c, uint32_t count)
{
        put_text(w, "[");
        for (uint32_t i = 0; i < count; i++) {
                put_text(w, i ? "," : "");
                put_value(w, c);
        }
        put_text(w, "]");
}

static void put_map(struct writer *w, struct cursor *c, uint32_t count)
{
        put_text(w, "{");
        for (uint32_t i = 0; i < count; i++) {
                put_text(w, i ? "," : "");
                put_key(w, c);
                put_text(w, ":");
                put_value(w, c);
        }
        put_text(w, "}");
}

/* Recursion is bounded by WIRE_DEPTH_MAX: the bytes were checked. */
static void put_value(struct writer *w, struct cursor *c)
{
        struct wire_value v;
        int fault = cursor_read(c, &v);

        assert(!fault);
        (void)fault;
        switch (v.tag) {
        case TAG_NIL:
                return put_text(w, "null");
        case TAG_BOOL:
                return put_text(w, v.boolean ? "true" : "false");
        case TAG_UINT:
        case TAG_INT:
                return put_integer(w, &v);
        case TAG_FLOAT:
                return put_real(w, v.real);
        case TAG_STR:
                return put_string(w, v.bytes);
        case TAG_BIN:
                return put_base64(w, v.bytes);
        case TAG_ARRAY:
                return put_array(w, c, v.count);
        case TAG_MAP:
                return put_map(w, c, v.count);
        case TAG_EXT:
                return put_extension(w, &v);
        }
}

int json_from_msgpack(struct bytes value, struct buf *out)
{
        struct writer w = {.out = out};
        struct cursor c = cursor_over(value);

        put_value(&w, &c);
        return w.error;
}
