/* Options are set anew for each hop, so that nothing of the last one is left. */
#include "worker/http/hop.h"

#include "base/error.h"
#include "worker/http/policy.h"
#include "worker/http/redirect.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#ifndef POPPO_VERSION
#error "the version is the build's to say"
#endif

/* A redirect's body is of no use, but a connection whose body is read to its end can be used again. */
enum { REDIRECT_BODY_MAX = 64 * 1024 };

/* ---- callbacks ---- */

static size_t on_header(char *line, size_t size, size_t n, void *data)
{
        struct transfer *t = data;

        bool goes_on = response_take_header(&t->response, (struct bytes){(const uint8_t *)line, size * n});

        t->is_touched = true;
        return goes_on ? size * n : 0;
}

uint64_t hop_max_redirects(const struct transfer *t)
{
        uint64_t most = t->engine->settings->max_redirects;

        return t->request.max_redirects < most ? t->request.max_redirects : most;
}

bool hop_is_redirect(struct transfer *t)
{
        struct curl_header *location;
        long status = 0;

        if (t->redirect.is_known)
                return t->redirect.is_followed;
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        t->redirect.is_known = true;
        t->redirect.is_followed =
                hop_max_redirects(t) && redirect_is(status) &&
                curl_easy_header(t->easy, "Location", 0, CURLH_HEADER, -1, &location) == CURLHE_OK;
        return t->redirect.is_followed;
}

static size_t on_body(char *piece, size_t size, size_t n, void *data)
{
        struct transfer *t = data;
        bool goes_on;

        t->is_touched = true;
        if (hop_is_redirect(t))
                t->response.body.limit = REDIRECT_BODY_MAX;
        goes_on = response_take_body(&t->response, (struct bytes){(const uint8_t *)piece, size * n});
        return goes_on ? size * n : 0;
}

/* Where every connection begins, and so the last word on its address. Connections are the only purpose that a
 * client of HTTP has. */
static curl_socket_t on_open_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
        struct transfer *t = data;

        (void)purpose;
        t->is_touched = true;
        if (policy_check_address(t->engine->settings, &t->target, &address->addr, &t->refusal)) {
                t->n_refused++;
                return CURL_SOCKET_BAD;
        }
        t->n_connected++;
        return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static CURLcode on_tls(CURL *easy, void *context, void *data)
{
        const struct transfer *t = data;

        (void)easy;
        SSL_CTX_set1_cert_store(context, t->engine->settings->trust);
        return CURLE_OK;
}

/* ---- options ---- */

static int first_failure(const CURLcode *codes, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (codes[i] != CURLE_OK)
                        return error_origin(codes[i] == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL);
        return 0;
}

#define ALL_SET(codes) first_failure(codes, sizeof(codes) / sizeof((codes)[0]))
#define SET(option, value) curl_easy_setopt(t->easy, CURLOPT_##option, value)

static int set_callbacks(struct transfer *t)
{
        const CURLcode codes[] = {
                SET(PRIVATE, t),
                SET(ERRORBUFFER, t->error),
                SET(HEADERFUNCTION, on_header),
                SET(HEADERDATA, t),
                SET(WRITEFUNCTION, on_body),
                SET(WRITEDATA, t),
                SET(OPENSOCKETFUNCTION, on_open_socket),
                SET(OPENSOCKETDATA, t),
                SET(SSL_CTX_FUNCTION, on_tls),
                SET(SSL_CTX_DATA, t),
        };

        return ALL_SET(codes);
}

/* Redirects are followed by the transfer, hop by hop. QUICK_EXIT: a name that is still looked up does not
 * hold up the loop when its transfer ends before; the lookup's thread ends by itself. Certificates come from
 * memory, by on_tls. */
static int set_bounds(struct transfer *t)
{
        const CURLcode codes[] = {
                SET(PROTOCOLS_STR, "http,https"),
                SET(REDIR_PROTOCOLS_STR, "http,https"),
                SET(FOLLOWLOCATION, 0L),
                SET(PROXY, ""),
                SET(NOSIGNAL, 1L),
                SET(QUICK_EXIT, 1L),
                SET(SSL_VERIFYPEER, 1L),
                SET(SSL_VERIFYHOST, 2L),
                SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2),
                SET(CAINFO, NULL),
                SET(CAPATH, NULL),
        };

        return ALL_SET(codes);
}

static int set_body(struct transfer *t)
{
        const struct request *r = &t->request;
        const CURLcode codes[] = {
                SET(POSTFIELDSIZE_LARGE, (curl_off_t)buf_size(&r->body)),
                SET(POSTFIELDS, buf_size(&r->body) ? (const char *)buf_head(&r->body) : ""),
                SET(CUSTOMREQUEST, r->method),
        };

        return ALL_SET(codes);
}

/* Of these methods servers expect a length, and be it 0. */
static bool has_length(const struct request *r)
{
        return r->has_body || !strcmp(r->method, "POST") || !strcmp(r->method, "PUT") ||
               !strcmp(r->method, "PATCH");
}

static int set_method(struct transfer *t)
{
        const struct request *r = &t->request;

        if (has_length(r))
                return set_body(t);
        if (!strcmp(r->method, "HEAD"))
                return SET(NOBODY, 1L) ? error_origin(-EINVAL) : 0;
        return SET(CUSTOMREQUEST, r->method) ? error_origin(-ENOMEM) : 0;
}

static int set_auth(struct transfer *t)
{
        const struct request *r = &t->request;
        const CURLcode codes[] = {
                SET(HTTPAUTH, r->auth.bearer ? CURLAUTH_BEARER : CURLAUTH_BASIC),
                SET(USERNAME, r->auth.user),
                SET(PASSWORD, r->auth.password),
                SET(XOAUTH2_BEARER, r->auth.bearer),
        };

        return ALL_SET(codes);
}

static int set_request(struct transfer *t)
{
        const CURLcode codes[] = {
                SET(CURLU, t->request.url),
                SET(HTTPHEADER, t->request.headers),
                SET(USERAGENT, "poppo/" POPPO_VERSION),
                SET(ACCEPT_ENCODING, ""),
                SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS),
        };

        return ALL_SET(codes);
}

int hop_prepare(struct transfer *t)
{
        int r;

        curl_easy_reset(t->easy);
        t->error[0] = 0;
        t->n_refused = t->n_connected = 0;
        t->redirect.is_known = false;
        response_fini(&t->response);
        response_begin(&t->response, t->engine->settings->max_response_bytes);
        r = set_callbacks(t);
        if (!r)
                r = set_bounds(t);
        if (!r)
                r = set_request(t);
        if (!r)
                r = set_method(t);
        return r ? r : set_auth(t);
}
