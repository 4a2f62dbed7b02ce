/* From JavaScript to MessagePack; value_out.c begins with the table of what becomes what. */
#pragma once

#include "wire/codec.h"
#include "wire/cursor.h"
#include "wire/pack.h"
#include "worker/outcome.h"

#include <duktape.h>

enum { VALUE_DEPTH_MAX = OUTCOME_DEPTH_MAX };

/* Writes the value at idx. Positive: refused, and `why` says so; the buffer then holds a part. May throw what
 * the value's own getters and toJSON throw, and for memory. Runs the task's code: only within its deadline.
 */
int value_write(duk_context *ctx, duk_idx_t idx, struct pack *p, struct wire_refusal *why);
