/* Character sets are few, since a converter's tables are files: UTF-8, and Latin-1 with its subset ASCII. */
#include "worker/http/content.h"

#include "base/cleanup.h"
#include "base/utf8.h"
#include "wire/json.h"
#include "worker/outcome.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What a record nests around data. */
enum { JSON_DEPTH_MAX = OUTCOME_DEPTH_MAX - 1, TYPE_MAX = 128 };

/* ---- Content-Type ---- */

static bool ends_with(const char *text, const char *end)
{
        size_t n = strlen(text), len = strlen(end);

        return n > len && !strcmp(text + n - len, end);
}

static bool is_json(const char *type)
{
        return !strcmp(type, "application/json") || !strcmp(type, "text/json") || ends_with(type, "+json");
}

static bool is_text(const char *type)
{
        static const char *const texts[] = {"application/xml", "application/javascript",
                "application/ecmascript", "application/x-javascript", "application/x-www-form-urlencoded",
                "application/x-ndjson", "application/jsonl", "application/yaml", "application/x-yaml",
                "application/toml", "application/graphql", "application/sql", "application/x-sh",
                "application/xhtml+xml"};

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                if (!strcmp(type, texts[i]))
                        return true;
        return !strncmp(type, "text/", 5) || ends_with(type, "+xml") || ends_with(type, "+yaml");
}

/* Copies in lower case up to one of the stops, without blanks and quotes. */
static const char *take_word(const char *at, const char *stops, char *out, size_t size)
{
        size_t n = 0;

        for (; *at && !strchr(stops, *at); at++)
                if (!strchr(" \t\"", *at) && n + 1 < size)
                        out[n++] = (char)tolower((unsigned char)*at);
        out[n] = 0;
        return at;
}

static void read_charset(const char *at, char out[static 32])
{
        char name[16];

        while (*at) {
                at = take_word(at + 1, "=;", name, sizeof(name));
                if (*at != '=')
                        continue;
                if (!strcmp(name, "charset")) {
                        take_word(at + 1, ";", out, 32);
                        return;
                }
                at += strcspn(at, ";");
        }
}

static enum content_form form_of(const char *type)
{
        if (is_json(type))
                return CONTENT_JSON;
        return is_text(type) ? CONTENT_TEXT : CONTENT_BYTES;
}

struct content content_of(const char *content_type, enum response_type wanted)
{
        static const enum content_form asked_for[] = {[RESPONSE_JSON] = CONTENT_JSON,
                [RESPONSE_TEXT] = CONTENT_TEXT,
                [RESPONSE_BYTES] = CONTENT_BYTES};
        struct content c = {.form = CONTENT_TEXT, .is_sure = content_type != NULL};
        char type[TYPE_MAX];

        if (content_type) {
                read_charset(take_word(content_type, ";", type, sizeof(type)), c.charset);
                c.form = form_of(type);
        }
        if (wanted != RESPONSE_AUTO) {
                c.form = asked_for[wanted];
                c.is_sure = true;
        }
        return c;
}

/* ---- text ---- */

static bool is_utf8(struct bytes s)
{
        for (size_t i = 0, n; i < s.len; i += n)
                if (!(n = utf8_length(s.data + i, s.len - i)))
                        return false;
        return true;
}

static int append_latin1(struct buf *out, struct bytes s)
{
        int r = buf_reserve(out, 2 * s.len);

        for (size_t i = 0; !r && i < s.len; i++) {
                const uint8_t pair[] = {
                        (uint8_t)(0xc0 | s.data[i] >> 6), (uint8_t)(0x80 | (s.data[i] & 0x3f))};

                r = s.data[i] < 0x80 ? buf_append(out, s.data + i, 1) : buf_append(out, pair, 2);
        }
        return r;
}

/* What is no character becomes U+FFFD, as browsers do it. */
static int append_repaired(struct buf *out, struct bytes s)
{
        int r = 0;

        for (size_t i = 0; !r && i < s.len;) {
                size_t n = utf8_length(s.data + i, s.len - i);

                r = n ? buf_append(out, s.data + i, n) : buf_append(out, "\xef\xbf\xbd", 3);
                i += n ? n : 1;
        }
        return r;
}

static void pack_converted(struct pack *p, struct bytes s, int (*convert)(struct buf *out, struct bytes s))
{
        CLEANUP(buf_fini) struct buf text = {0};
        int r;

        r = convert(&text, s);
        if (r)
                p->error = p->error ? p->error : r;
        else
                pack_str(p, buf_bytes(&text));
}

void content_pack_words(struct pack *p, struct bytes text)
{
        if (is_utf8(text))
                pack_str(p, text);
        else
                pack_converted(p, text, append_latin1);
}

static struct bytes without_mark(struct bytes s)
{
        return s.len >= 3 && !memcmp(s.data, "\xef\xbb\xbf", 3) ? (struct bytes){s.data + 3, s.len - 3} : s;
}

static bool is_latin1(const char *charset)
{
        return !strcmp(charset, "iso-8859-1") || !strcmp(charset, "latin1") || !strcmp(charset, "iso_8859-1");
}

static bool is_unicode(const char *charset)
{
        return !*charset || !strcmp(charset, "utf-8") || !strcmp(charset, "utf8") ||
               !strcmp(charset, "us-ascii") || !strcmp(charset, "ascii");
}

static int pack_text_body(
        struct pack *p, const struct content *c, struct bytes body, struct wire_refusal *why)
{
        if (is_latin1(c->charset))
                pack_converted(p, body, append_latin1);
        else if (!is_unicode(c->charset))
                return wire_refuse(why, WIRE_HTTP_FAILED,
                        "the response's character set %s is none that is known here: UTF-8 and ISO-8859-1. "
                        "responseType \"bytes\" takes it as it is",
                        c->charset);
        else if (is_utf8(without_mark(body)))
                pack_str(p, without_mark(body));
        else if (c->is_sure)
                pack_converted(p, without_mark(body), append_repaired);
        else
                pack_bin(p, body);
        return 0;
}

/* ---- JSON ---- */

static int pack_json_body(struct pack *p, struct bytes body, struct wire_refusal *why)
{
        char fault[JSON_WHY_MAX];
        int r;

        body = without_mark(body);
        if (!body.len) {
                pack_nil(p);
                return 0;
        }
        r = p->error ? p->error : json_to_msgpack(body, JSON_DEPTH_MAX, p->out, fault);
        if (r == -EINVAL)
                return wire_refuse(why, WIRE_HTTP_FAILED, "the response is no JSON: %.120s", fault);
        if (r == -E2BIG)
                return wire_refuse(why, WIRE_RESULT_TOO_LARGE, "the response's %.120s", fault);
        p->error = r;
        return 0;
}

static int pack_body(struct pack *p, const struct content *c, struct bytes body, struct wire_refusal *why)
{
        if (c->form == CONTENT_JSON)
                return pack_json_body(p, body, why);
        if (c->form == CONTENT_TEXT)
                return pack_text_body(p, c, body, why);
        pack_bin(p, body);
        return 0;
}

int content_pack(struct pack *p, const struct content *content, struct bytes body, struct wire_refusal *why)
{
        int r = pack_body(p, content, body, why);

        if (!r && p->error == -ENOBUFS)
                r = wire_refuse(why, WIRE_RESULT_TOO_LARGE,
                        "the response as a value is larger than queue.maxResultBytes");
        else if (!r && p->error)
                r = wire_refuse(why, WIRE_OUT_OF_MEMORY, "there was no memory for the response as a value");
        return r;
}
