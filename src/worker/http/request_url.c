/* The URL and what is added to its query. Reading URLs is libcurl's: it connects to what it has read. */
#include "base/cleanup.h"
#include "base/error.h"
#include "wire/cursor.h"
#include "wire/json.h"
#include "worker/http/request_parts.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Of the URL with all of its parameters. */
enum { QUERY_MAX = 1024 * 1024 };

static void free_escaped(char **text)
{
        curl_free(*text);
}

static int read_url(struct request *r, struct bytes url, struct wire_refusal *why)
{
        CLEANUP(cleanup_free) char *text = request_text(url);
        CURLUcode code;

        r->url = curl_url();
        if (!text || !r->url)
                return error_origin(-ENOMEM);
        if (strlen(text) != url.len)
                return wire_refuse(why, WIRE_INVALID_TASK, "url has a NUL byte in it");
        code = curl_url_set(
                r->url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE | CURLU_ALLOW_SPACE);
        if (code == CURLUE_OUT_OF_MEMORY)
                return error_origin(-ENOMEM);
        return code ? wire_refuse(why, WIRE_INVALID_TASK, "url is no URL: %s", curl_url_strerror(code)) : 0;
}

/* ---- params ---- */

static int append_escaped(struct buf *query, struct bytes text)
{
        CLEANUP(free_escaped) char *escaped = NULL;

        if (!text.len)
                return 0;
        if (text.len > INT_MAX / 4)
                return -ENOBUFS;
        escaped = curl_easy_escape(NULL, (const char *)text.data, (int)text.len);
        return escaped ? buf_append(query, escaped, strlen(escaped)) : error_origin(-ENOMEM);
}

static int append_scalar(struct buf *query, const struct wire_value *v, struct bytes encoded)
{
        CLEANUP(buf_fini) struct buf text = {0};
        int e;

        if (v->tag == TAG_STR)
                return append_escaped(query, v->bytes);
        e = json_from_msgpack(encoded, &text);
        return e ? e : append_escaped(query, buf_bytes(&text));
}

/* Positive: this value has no place in a query. */
static int append_pair(struct buf *query, struct bytes name, struct cursor *c)
{
        const uint8_t *start = c->at;
        struct wire_value v;
        int e = 0;

        if (cursor_read(c, &v) || (v.tag > TAG_STR))
                return 1;
        if (v.tag == TAG_NIL)
                return 0;
        if (buf_size(query))
                e = buf_append(query, "&", 1);
        if (!e)
                e = append_escaped(query, name);
        if (!e)
                e = buf_append(query, "=", 1);
        return e ? e : append_scalar(query, &v, (struct bytes){start, (size_t)(c->at - start)});
}

/* {a: [1, 2]} is a=1&a=2; null says nothing. */
static int append_param(struct buf *query, struct bytes name, struct cursor *c)
{
        struct cursor ahead = *c;
        struct wire_value v;
        int e = 0;

        if (cursor_read(&ahead, &v) || v.tag != TAG_ARRAY)
                return append_pair(query, name, c);
        *c = ahead;
        for (uint32_t i = 0; !e && i < v.count; i++)
                e = append_pair(query, name, c);
        return e;
}

static int encode_params(struct buf *query, struct bytes params, struct wire_refusal *why)
{
        struct cursor c = cursor_over(params);
        struct wire_value map;
        int e = cursor_read(&c, &map);

        for (uint32_t i = 0; !e && i < map.count; i++) {
                struct bytes name;

                e = request_read_key(&c, "params", &name, why);
                if (e)
                        return e;
                e = append_param(query, name, &c);
                if (e > 0)
                        wire_refuse(why, WIRE_INVALID_TASK,
                                "params.%.*s must be a string, a number, a boolean or an array of such",
                                name.len < 64 ? (int)name.len : 64, (const char *)name.data);
        }
        return e;
}

static int add_params(struct request *r, struct bytes params, struct wire_refusal *why)
{
        CLEANUP(buf_fini) struct buf query = {.limit = QUERY_MAX};
        CURLUcode code;
        int e;

        e = encode_params(&query, params, why);
        if (e == -ENOBUFS)
                return wire_refuse(why, WIRE_INVALID_TASK, "params are more than %d bytes", QUERY_MAX);
        if (e || !buf_size(&query))
                return e;
        e = buf_append(&query, "", 1);
        if (e)
                return e;
        code = curl_url_set(r->url, CURLUPART_QUERY, (const char *)buf_head(&query), CURLU_APPENDQUERY);
        return code ? error_origin(-ENOMEM) : 0;
}

int request_read_url(struct request *r, struct bytes url, struct bytes params, struct wire_refusal *why)
{
        int e = read_url(r, url, why);

        return e || !params.len ? e : add_params(r, params, why);
}
