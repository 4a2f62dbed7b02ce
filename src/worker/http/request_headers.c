/* Headers and credentials. What would split a request in two, or is libcurl's to say, does not get in. */
#include "base/error.h"
#include "wire/cursor.h"
#include "worker/http/request_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEADERS_MAX = 256, HEADER_NAME_MAX = 256, HEADER_BYTES_MAX = 64 * 1024 };

/* How long the message is and what becomes of the connection. */
static const char *const owned[] = {"Connection", "Content-Length", "Expect", "HTTP2-Settings", "Keep-Alive",
        "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", NULL};

static bool is_one_of(struct bytes name, const char *const *names)
{
        for (; *names; names++)
                if (strlen(*names) == name.len && !strncasecmp(*names, (const char *)name.data, name.len))
                        return true;
        return false;
}

/* The name of a line of the list, as it was given: it ends at a colon, or at a semicolon where there is no
 * value. */
static struct bytes name_of(const char *line)
{
        return (struct bytes){(const uint8_t *)line, strcspn(line, ":;")};
}

bool request_has_header(const struct request *r, const char *name)
{
        const char *const names[] = {name, NULL};

        for (const struct curl_slist *h = r->headers; h; h = h->next)
                if (is_one_of(name_of(h->data), names))
                        return true;
        return false;
}

static int append_line(struct curl_slist **list, const char *line)
{
        struct curl_slist *longer = curl_slist_append(*list, line);

        if (!longer)
                return error_origin(-ENOMEM);
        *list = longer;
        return 0;
}

int request_drop_headers(struct request *r, const char *const *names)
{
        struct curl_slist *kept = NULL;
        int e = 0;

        for (const struct curl_slist *h = r->headers; !e && h; h = h->next)
                if (!is_one_of(name_of(h->data), names))
                        e = append_line(&kept, h->data);
        if (e) {
                curl_slist_free_all(kept);
                return e;
        }
        curl_slist_free_all(r->headers);
        r->headers = kept;
        return 0;
}

/* ---- reading ---- */

static struct bytes trim(struct bytes s)
{
        while (s.len && (s.data[0] == ' ' || s.data[0] == '\t'))
                s = (struct bytes){s.data + 1, s.len - 1};
        while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
                s.len--;
        return s;
}

static bool has_control(struct bytes s)
{
        for (size_t i = 0; i < s.len; i++)
                if ((s.data[i] < 0x20 && s.data[i] != '\t') || s.data[i] == 0x7f)
                        return true;
        return false;
}

/* To libcurl "Name:" means to leave one out; "Name;" is the one without a value. */
int request_add_header(struct request *r, const char *name, struct bytes value)
{
        size_t n = strlen(name);
        char *line = malloc(n + value.len + 3);
        int e;

        if (!line)
                return error_origin(-ENOMEM);
        memcpy(line, name, n);
        memcpy(line + n, value.len ? ": " : ";", 2);
        if (value.len)
                memcpy(line + n + 2, value.data, value.len);
        line[n + (value.len ? 2 : 1) + value.len] = 0;
        e = append_line(&r->headers, line);
        free(line);
        return e;
}

int request_leave_out(struct request *r, const char *line)
{
        return append_line(&r->headers, line);
}

/* The URL says which host is asked. A header that says the same is superfluous, another one would be a way
 * around what allowHosts names. */
static bool names_the_host(const struct request *r, struct bytes value)
{
        char *host = NULL, *port = NULL;
        size_t n;
        bool same;

        if (curl_url_get(r->url, CURLUPART_HOST, &host, 0))
                return false;
        n = strlen(host);
        same = value.len >= n && !strncasecmp(host, (const char *)value.data, n);
        value = same ? (struct bytes){value.data + n, value.len - n} : value;
        if (same && value.len)
                same = value.data[0] == ':' &&
                       !curl_url_get(r->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) &&
                       strlen(port) == value.len - 1 && !memcmp(port, value.data + 1, value.len - 1);
        curl_free(host);
        curl_free(port);
        return same;
}

static int read_header(struct request *r, struct bytes name, struct bytes value, struct wire_refusal *why)
{
        char text[HEADER_NAME_MAX + 1];

        if (name.len > HEADER_NAME_MAX || !request_is_token(name))
                return wire_refuse(why, WIRE_INVALID_TASK,
                        "headers: a name has a character that no header's name may have");
        memcpy(text, name.data, name.len);
        text[name.len] = 0;
        if (has_control(value))
                return wire_refuse(why, WIRE_INVALID_TASK,
                        "headers: the value of %.64s has a control character in it", text);
        if (is_one_of(name, owned))
                return wire_refuse(why, WIRE_INVALID_TASK, "headers: %.64s is not for a task to set", text);
        value = trim(value);
        if (strcasecmp(text, "Host"))
                return request_add_header(r, text, value);
        if (names_the_host(r, value))
                return 0;
        return wire_refuse(why, WIRE_INVALID_TASK, "headers: Host must be the url's host");
}

int request_read_headers(struct request *r, struct bytes headers, struct wire_refusal *why)
{
        struct cursor c = cursor_over(headers);
        struct wire_value map = {0};
        int e = headers.len ? cursor_read(&c, &map) : 0;

        /* Bodies go out at once: waiting for a "100 Continue" that few servers send costs a second. */
        if (!e)
                e = request_leave_out(r, "Expect:");
        if (map.count > HEADERS_MAX || headers.len > HEADER_BYTES_MAX)
                return wire_refuse(why, WIRE_INVALID_TASK, "headers: more than %d, or more than %d bytes",
                        HEADERS_MAX, HEADER_BYTES_MAX);
        for (uint32_t i = 0; !e && i < map.count; i++) {
                struct bytes name, value;

                e = request_read_key(&c, "headers", &name, why);
                if (!e && cursor_str(&c, &value))
                        e = wire_refuse(why, WIRE_INVALID_TASK, "headers: every value must be a string");
                if (!e)
                        e = read_header(r, name, value, why);
        }
        return e;
}

/* ---- credentials ---- */

static int copy(struct bytes s, char **out)
{
        *out = request_text(s);
        return *out ? 0 : error_origin(-ENOMEM);
}

/* Positive: it is there, but with a control character in it. */
static int copy_of_url(const struct request *r, CURLUPart part, CURLUcode absent, char **out)
{
        char *text = NULL;
        CURLUcode code = curl_url_get(r->url, part, &text, CURLU_URLDECODE);
        int e;

        if (code && code != absent)
                return code == CURLUE_OUT_OF_MEMORY ? error_origin(-ENOMEM) : 1;
        e = copy(wire_str(code ? "" : text), out);
        curl_free(text);
        return e;
}

static bool has_user(const struct request *r)
{
        char *user = NULL;
        bool has = curl_url_get(r->url, CURLUPART_USER, &user, 0) != CURLUE_NO_USER;

        curl_free(user);
        return has;
}

/* What auth says is stronger. The URL is left without both. */
static int take_user_of_url(struct request *r, struct wire_refusal *why)
{
        int e = 0;

        if (!has_user(r))
                return 0;
        if (!r->auth.user && !r->auth.bearer) {
                e = copy_of_url(r, CURLUPART_USER, CURLUE_NO_USER, &r->auth.user);
                if (!e)
                        e = copy_of_url(r, CURLUPART_PASSWORD, CURLUE_NO_PASSWORD, &r->auth.password);
        }
        curl_url_set(r->url, CURLUPART_USER, NULL, 0);
        curl_url_set(r->url, CURLUPART_PASSWORD, NULL, 0);
        return e > 0 ? wire_refuse(why, WIRE_INVALID_TASK,
                               "url: a control character in the user's name or password")
                     : e;
}

static bool is_bearer(struct bytes s)
{
        for (size_t i = 0; i < s.len; i++)
                if (s.data[i] <= 0x20 || s.data[i] >= 0x7f)
                        return false;
        return s.len;
}

static int read_auth(struct request *r, struct bytes auth, struct wire_refusal *why)
{
        struct bytes user = {0}, password = {0}, bearer;
        int e;

        if (wire_lookup_str(auth, "bearer", &bearer)) {
                if (!is_bearer(bearer))
                        return wire_refuse(
                                why, WIRE_INVALID_TASK, "auth.bearer must be a word of printable characters");
                return copy(bearer, &r->auth.bearer);
        }
        if (!wire_lookup_str(auth, "username", &user))
                return wire_refuse(why, WIRE_INVALID_TASK, "auth must have username and password, or bearer");
        wire_lookup_str(auth, "password", &password);
        if (has_control(user) || has_control(password) || (user.len && memchr(user.data, ':', user.len)))
                return wire_refuse(
                        why, WIRE_INVALID_TASK, "auth: a control character, or a colon in username");
        e = copy(user, &r->auth.user);
        return e ? e : copy(password, &r->auth.password);
}

int request_read_auth(struct request *r, struct bytes auth, struct wire_refusal *why)
{
        int e = auth.len ? read_auth(r, auth, why) : 0;

        if (!e)
                e = take_user_of_url(r, why);
        if (!e && (r->auth.user || r->auth.bearer) && request_has_header(r, "Authorization"))
                e = wire_refuse(why, WIRE_INVALID_TASK, "auth and a header Authorization exclude each other");
        return e;
}
