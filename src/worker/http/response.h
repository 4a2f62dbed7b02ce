/* What comes back during one hop, within its bounds. */
#pragma once

#include "base/buf.h"

#include <curl/curl.h>
#include <stdbool.h>

enum response_overflow { RESPONSE_FITS, RESPONSE_HEADERS_OVER, RESPONSE_BODY_OVER };

enum { RESPONSE_HEADER_BYTES_MAX = 64 * 1024, RESPONSE_HEADERS_MAX = 256 };

struct response {
        char reason[128];
        size_t header_bytes, n_headers; /* of interim responses too */
        struct buf body;                /* decompressed */
        enum response_overflow overflow;
};

void response_begin(struct response *r, size_t max_body);
void response_fini(struct response *r);

/* One line, or one piece. False: it is over a bound, and the transfer is to end. */
bool response_take_header(struct response *r, struct bytes line);
bool response_take_body(struct response *r, struct bytes piece);
