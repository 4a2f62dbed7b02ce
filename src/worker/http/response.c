/* Counts what a hostile server could send without end: interim responses, headers, and a body behind any
 * compression. */
#include "worker/http/response.h"

#include <string.h>

void response_begin(struct response *r, size_t max_body)
{
        *r = (struct response){0};
        buf_init(&r->body, max_body);
}

void response_fini(struct response *r)
{
        buf_fini(&r->body);
}

/* "HTTP/1.1 404 Not Found": what comes after the status. Newer versions have none. */
static void take_reason(struct response *r, struct bytes line)
{
        const uint8_t *at = line.data, *end = line.data + line.len;
        size_t n;

        for (int spaces = 0; at < end && spaces < 2; at++)
                spaces += *at == ' ';
        while (end > at && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
                end--;
        n = (size_t)(end - at);
        if (n >= sizeof(r->reason))
                n = sizeof(r->reason) - 1;
        memcpy(r->reason, at, n);
        r->reason[n] = 0;
}

bool response_take_header(struct response *r, struct bytes line)
{
        r->header_bytes += line.len;
        r->n_headers++;
        if (r->header_bytes > RESPONSE_HEADER_BYTES_MAX || r->n_headers > RESPONSE_HEADERS_MAX)
                r->overflow = RESPONSE_HEADERS_OVER;
        else if (line.len > 5 && !memcmp(line.data, "HTTP/", 5))
                take_reason(r, line);
        return r->overflow == RESPONSE_FITS;
}

bool response_take_body(struct response *r, struct bytes piece)
{
        if (buf_append(&r->body, piece.data, piece.len))
                r->overflow = RESPONSE_BODY_OVER;
        return r->overflow == RESPONSE_FITS;
}
