/* From JavaScript to MessagePack; value_out.c begins with the table of what becomes what. */
#pragma once

#include "wire/codec.h"
#include "wire/cursor.h"
#include "wire/pack.h"

#include <duktape.h>

/* A value nests at most so deep: the rest of the wire's 32 levels is for the record and the reply around it.
 */
enum { VALUE_DEPTH_MAX = WIRE_DEPTH_MAX - 4 };

/* Writes the value at idx. Positive: refused, and `why` says so; the buffer then holds a part. May throw what
 * the value's own getters and toJSON throw, and for memory. Runs the task's code: only within its deadline.
 */
int value_write(duk_context *ctx, duk_idx_t idx, struct pack *p, struct wire_refusal *why);
