/* The parts of a request: one file reads each. Positive: refused with INVALID_TASK; -ENOMEM. */
#pragma once

#include "wire/cursor.h"
#include "worker/http/request.h"

/* url and params */
int request_read_url(struct request *r, struct bytes url, struct bytes params, struct wire_refusal *why);
/* headers, and what is added to them */
int request_read_headers(struct request *r, struct bytes headers, struct wire_refusal *why);
int request_add_header(struct request *r, const char *name, struct bytes value);
/* "Name:" keeps libcurl from adding this header. */
int request_leave_out(struct request *r, const char *line);
bool request_has_header(const struct request *r, const char *name);
/* Drops the headers with one of these names, which NULL ends. */
int request_drop_headers(struct request *r, const char *const *names);
/* auth; after url, which may have a user, and after headers */
int request_read_auth(struct request *r, struct bytes auth, struct wire_refusal *why);
/* data; after headers */
int request_read_body(struct request *r, struct bytes data, struct wire_refusal *why);

/* A copy with a NUL at its end. NULL: no memory. */
char *request_text(struct bytes s);

/* A token of RFC 9110: what methods and names of headers are made of. */
bool request_is_token(struct bytes s);

/* Reads the next key of a map. Positive: it is no string. */
int request_read_key(struct cursor *c, const char *field, struct bytes *key, struct wire_refusal *why);
