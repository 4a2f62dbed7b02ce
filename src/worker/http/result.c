/* Headers have lower-case names. Those that came more than once are joined with ", "; set-cookie is always an
 * array, since a comma may be part of one. */
#include "worker/http/result.h"

#include "base/cleanup.h"
#include "worker/http/content.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { LAST_REQUEST = -1 };

/* Without blanks at its end: libcurl leaves the line's there where nothing else is. */
static struct bytes text_bytes(const char *text)
{
        size_t n = strlen(text);

        while (n && strchr(" \t\r\n", text[n - 1]))
                n--;
        return (struct bytes){(const uint8_t *)text, n};
}

static void pack_lower(struct pack *p, const char *name)
{
        char lower[256];
        size_t n = strlen(name);

        if (n >= sizeof(lower)) {
                content_pack_words(p, text_bytes(name));
                return;
        }
        for (size_t i = 0; i <= n; i++)
                lower[i] = (char)tolower((unsigned char)name[i]);
        content_pack_words(p, (struct bytes){(const uint8_t *)lower, n});
}

static void pack_each(struct pack *p, CURL *easy, const struct curl_header *first)
{
        pack_array(p, first->amount);
        for (size_t i = 0; i < first->amount; i++) {
                struct curl_header *h;

                if (curl_easy_header(easy, first->name, i, CURLH_HEADER, LAST_REQUEST, &h) == CURLHE_OK)
                        content_pack_words(p, text_bytes(h->value));
                else
                        pack_nil(p);
        }
}

static void pack_joined(struct pack *p, CURL *easy, const struct curl_header *first)
{
        CLEANUP(buf_fini) struct buf joined = {0};
        int r = 0;

        for (size_t i = 0; !r && i < first->amount; i++) {
                struct curl_header *h;

                if (curl_easy_header(easy, first->name, i, CURLH_HEADER, LAST_REQUEST, &h) != CURLHE_OK)
                        continue;
                if (i)
                        r = buf_append(&joined, ", ", 2);
                if (!r)
                        r = buf_append(&joined, h->value, text_bytes(h->value).len);
        }
        if (r && !p->error)
                p->error = r;
        content_pack_words(p, buf_bytes(&joined));
}

/* libcurl keeps one header for whoever asks, so the walk keeps a copy of where it is. */
static void pack_headers(struct pack *p, CURL *easy)
{
        size_t mark = pack_map_open(p);
        struct curl_header at, *h = NULL;
        uint32_t n = 0;

        while ((h = curl_easy_nextheader(easy, CURLH_HEADER, LAST_REQUEST, h))) {
                at = *h;
                h = &at;
                if (at.index)
                        continue;
                pack_lower(p, at.name);
                if (!strcasecmp(at.name, "set-cookie"))
                        pack_each(p, easy, &at);
                else
                        pack_joined(p, easy, &at);
                n++;
        }
        pack_map_close(p, mark, n);
}

/* ---- the whole ---- */

enum body { BODY_AS_SAID, BODY_AS_TEXT, BODY_LEFT_OUT };

struct whole {
        const struct request *request;
        const struct response *response;
        CURL *easy;
        long status;
};

static struct content content_of_response(const struct whole *w, enum body body)
{
        struct curl_header *type = NULL;

        if (curl_easy_header(w->easy, "Content-Type", 0, CURLH_HEADER, LAST_REQUEST, &type) != CURLHE_OK)
                type = NULL;
        if (body == BODY_AS_TEXT)
                return (struct content){.form = CONTENT_TEXT};
        return content_of(type ? type->value : NULL, w->request->response_type);
}

static int pack_whole(struct buf *out, const struct whole *w, enum body body, struct wire_refusal *why)
{
        struct content content = content_of_response(w, body);
        struct pack p;

        buf_consume(out, buf_size(out));
        pack_init(&p, out);
        pack_map(&p, body == BODY_LEFT_OUT ? 3 : 4);
        pack_entry_uint(&p, "status", (uint64_t)w->status);
        pack_text(&p, "statusText");
        content_pack_words(&p, text_bytes(w->response->reason));
        pack_text(&p, "headers");
        pack_headers(&p, w->easy);
        if (body == BODY_LEFT_OUT)
                return p.error;
        pack_text(&p, "data");
        return content_pack(&p, &content, buf_bytes(&w->response->body), why);
}

/* The status is what the task is to learn: a body that is not what it says comes along as text, or is left
 * out. */
static void fill_unaccepted(struct outcome *out, const struct whole *w)
{
        bool over = w->response->overflow == RESPONSE_BODY_OVER;
        enum body body = over ? BODY_LEFT_OUT : BODY_AS_SAID;
        struct wire_refusal why;

        outcome_fail(out, WIRE_HTTP_STATUS, "the response's status is %ld%s%.100s%s", w->status,
                *w->response->reason ? " " : "", w->response->reason,
                over ? "; its body is larger than maxResponseBytes and left out" : "");
        while (pack_whole(&out->value, w, body, &why))
                if (body++ == BODY_LEFT_OUT) {
                        buf_consume(&out->value, buf_size(&out->value));
                        return;
                }
}

void result_fill(
        struct outcome *out, const struct request *request, const struct response *response, CURL *easy)
{
        struct whole w = {.request = request, .response = response, .easy = easy};
        struct wire_refusal why;

        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &w.status);
        if (!request_accepts(request, w.status))
                fill_unaccepted(out, &w);
        else if (response->overflow == RESPONSE_BODY_OVER)
                outcome_fail(out, WIRE_RESULT_TOO_LARGE,
                        "the response's body is larger than the %zu bytes of maxResponseBytes",
                        response->body.limit);
        else if (pack_whole(&out->value, &w, BODY_AS_SAID, &why))
                outcome_fail(out, why.code, "%s", why.message);
}
