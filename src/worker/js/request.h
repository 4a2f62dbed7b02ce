/* A call of require(): who asks for what, and the key that the answer is kept under. */
#pragma once

#include "base/buf.h"

#include <duktape.h>

enum { REQUEST_BYTES = 4095, REQUEST_NO_ROOT = -1 };

struct request {
        struct bytes name; /* as asked for, at most REQUEST_BYTES, not empty */
        struct bytes path; /* of the file that the function belongs to; as long at most */
        int root;          /* its root; REQUEST_NO_ROOT: a built-in module or the task asks */
};

/* What comes before the last slash; empty at the root. */
struct bytes request_directory(struct bytes path);

/* "ROOT:PATH" */
void request_push_id(duk_context *ctx, unsigned int root, struct bytes path);

/* Pushes what this request is known by: a relative name by where it leads, any other one by the directory
 * that it is asked for in. */
void request_push_key(duk_context *ctx, const struct request *q);
