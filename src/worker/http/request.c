/* Puts the parts together: method, limits and accepted statuses here, the larger ones in files of their own.
 */
#include "worker/http/request.h"

#include "base/error.h"
#include "wire/cursor.h"
#include "worker/http/request_parts.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *request_text(struct bytes s)
{
        char *text = malloc(s.len + 1);

        if (!text)
                return NULL;
        if (s.len)
                memcpy(text, s.data, s.len);
        text[s.len] = 0;
        return text;
}

int request_read_key(struct cursor *c, const char *field, struct bytes *key, struct wire_refusal *why)
{
        if (cursor_str(c, key))
                return wire_refuse(why, WIRE_INVALID_TASK, "%s: a name must be a string", field);
        return 0;
}

/* ---- method ---- */

bool request_is_token(struct bytes s)
{
        for (size_t i = 0; i < s.len; i++)
                if (!isalnum(s.data[i]) && (!s.data[i] || !strchr("!#$%&'*+-.^_`|~", s.data[i])))
                        return false;
        return s.len;
}

/* A tunnel is no request: what goes through it would be checked by nobody. */
static int read_method(struct request *r, const struct wire_http_request *task, struct wire_refusal *why)
{
        if (!WIRE_HAS(task, http_request, method)) {
                strcpy(r->method, r->has_body ? "POST" : "GET");
                return 0;
        }
        if (!request_is_token(task->method))
                return wire_refuse(why, WIRE_INVALID_TASK, "method must be one word of letters");
        for (size_t i = 0; i < task->method.len; i++)
                r->method[i] = (char)toupper(task->method.data[i]);
        if (!strcmp(r->method, "CONNECT"))
                return wire_refuse(why, WIRE_INVALID_TASK, "method must not be CONNECT");
        if (r->has_body && !strcmp(r->method, "HEAD"))
                return wire_refuse(why, WIRE_INVALID_TASK, "data must not go with the method HEAD");
        return 0;
}

/* ---- accepted statuses ---- */

static void accept_range(struct request *r, unsigned int from, unsigned int to)
{
        for (unsigned int status = from; status <= to; status++)
                r->accepted[status / 8] |= (uint8_t)(1u << status % 8);
}

static bool accept_word(struct request *r, struct bytes word)
{
        unsigned int class;

        if (wire_str_is(word, "any")) {
                accept_range(r, 0, STATUS_MAX);
                return true;
        }
        if (word.len != 3 || word.data[0] < '1' || word.data[0] > '5' || memcmp(word.data + 1, "xx", 2))
                return false;
        class = (unsigned int)(word.data[0] - '0') * 100;
        accept_range(r, class, class + 99);
        return true;
}

static bool accept_value(struct request *r, const struct wire_value *v)
{
        if (v->tag == TAG_STR)
                return accept_word(r, v->bytes);
        if (v->tag != TAG_UINT || v->uint < 100 || v->uint > STATUS_MAX)
                return false;
        accept_range(r, (unsigned int)v->uint, (unsigned int)v->uint);
        return true;
}

static int read_accepted(struct request *r, struct bytes accept, struct wire_refusal *why)
{
        struct cursor c = cursor_over(accept);
        struct wire_value v;
        uint32_t n = 1;
        bool good;

        if (!accept.len) {
                accept_range(r, 200, 299);
                return 0;
        }
        good = !cursor_read(&c, &v);
        if (good && v.tag == TAG_ARRAY) {
                for (n = v.count; good && n; n--)
                        good = !cursor_read(&c, &v) && accept_value(r, &v);
        } else if (good) {
                good = accept_value(r, &v);
        }
        if (good)
                return 0;
        return wire_refuse(why, WIRE_INVALID_TASK,
                "acceptStatus must be \"any\", a class like \"2xx\", a status, or an array of such");
}

bool request_accepts(const struct request *r, long status)
{
        return status >= 0 && status <= STATUS_MAX && r->accepted[status / 8] >> status % 8 & 1;
}

/* ---- all of it ---- */

static int add_traceparent(struct request *r, struct bytes traceparent)
{
        if (!traceparent.len || request_has_header(r, "traceparent"))
                return 0;
        return request_add_header(r, "traceparent", traceparent);
}

int request_read(struct request *r, const struct wire_http_request *task, struct bytes traceparent,
        struct wire_refusal *why)
{
        int e;

        *r = (struct request){
                .timeout = task->timeout, .response_type = (enum response_type)task->response_type};
        r->max_redirects = WIRE_HAS(task, http_request, max_redirects) ? task->max_redirects : UINT64_MAX;
        buf_init(&r->body, 0);
        e = request_read_url(r, task->url, task->params, why);
        if (!e)
                e = request_read_headers(r, task->headers, why);
        if (!e)
                e = request_read_auth(r, task->auth, why);
        if (!e)
                e = request_read_body(r, task->data, why);
        if (!e)
                e = read_method(r, task, why);
        if (!e)
                e = read_accepted(r, task->accept_status, why);
        return e ? e : add_traceparent(r, traceparent);
}

static void drop_auth(struct request *r)
{
        free(r->auth.user);
        free(r->auth.password);
        free(r->auth.bearer);
        memset(&r->auth, 0, sizeof(r->auth));
}

void request_fini(struct request *r)
{
        curl_url_cleanup(r->url);
        curl_slist_free_all(r->headers);
        buf_fini(&r->body);
        drop_auth(r);
        *r = (struct request){0};
}

/* ---- redirects ---- */

int request_become_get(struct request *r)
{
        static const char *const about_the_body[] = {
                "Content-Type", "Content-Encoding", "Content-Language", "Content-Location", "Digest", NULL};

        strcpy(r->method, "GET");
        buf_fini(&r->body);
        r->has_body = false;
        return request_drop_headers(r, about_the_body);
}

int request_drop_credentials(struct request *r)
{
        static const char *const about_the_sender[] = {"Authorization", "Cookie", NULL};

        drop_auth(r);
        return request_drop_headers(r, about_the_sender);
}

int request_follow(struct request *r, const char *location, struct wire_refusal *why)
{
        const unsigned int flags = CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE | CURLU_ALLOW_SPACE;
        CURLUcode code = curl_url_set(r->url, CURLUPART_URL, location, flags);
        char *user = NULL;

        if (code == CURLUE_OUT_OF_MEMORY)
                return error_origin(-ENOMEM);
        if (code)
                return wire_refuse(why, WIRE_HTTP_FAILED, "the redirect's Location is no URL: %s",
                        curl_url_strerror(code));
        if (curl_url_get(r->url, CURLUPART_USER, &user, 0) == CURLUE_NO_USER)
                return 0;
        curl_free(user);
        return wire_refuse(why, WIRE_URL_REFUSED, "a redirect that brings a user's name along is refused");
}
