/*
 * What a task asks for, from its bytes to what libcurl takes. Everything that a message descriptor cannot say
 * is checked here, and everything is copied: a transfer outlives the frame that brought it.
 */
#pragma once

#include "wire/codec.h"

#include <curl/curl.h>

enum { METHOD_MAX = 32, STATUS_MAX = 999 };

enum response_type { RESPONSE_AUTO, RESPONSE_JSON, RESPONSE_TEXT, RESPONSE_BYTES };

struct request {
        CURLU *url; /* without user and password: those are in auth */
        char method[METHOD_MAX + 1];
        struct curl_slist *headers;
        struct buf body;
        bool has_body;
        struct {
                char *user, *password; /* Basic */
                char *bearer;
        } auth;
        enum response_type response_type;
        uint8_t accepted[STATUS_MAX / 8 + 1]; /* a bit a status */
        uint64_t timeout;                     /* ms; 0 = none of its own */
        uint64_t max_redirects;               /* UINT64_MAX: what the settings say */
};

/* Zeroed, so that request_fini() may always follow. Positive: refused, INVALID_TASK; -ENOMEM. */
int request_read(struct request *r, const struct wire_http_request *task, struct bytes traceparent,
        struct wire_refusal *why);
void request_fini(struct request *r);

bool request_accepts(const struct request *r, long status);

/* For a redirect: the body goes, and what describes it. */
int request_become_get(struct request *r);
/* For a redirect to somebody else: whatever tells who asks. */
int request_drop_credentials(struct request *r);
/* Replaces the URL by where a redirect leads, seen from it. Positive: refused. */
int request_follow(struct request *r, const char *location, struct wire_refusal *why);
