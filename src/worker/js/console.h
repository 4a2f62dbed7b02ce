/* console.log, info, debug, warn and error: lines with a level and a time, kept in the outcome up to its
 * bound. */
#pragma once

#include "worker/outcome.h"

#include <duktape.h>
#include <stdint.h>

void console_install(duk_context *ctx);

/* Where the lines of the task that begins now go; at is counted from started_ns (monotonic). */
void console_begin(struct outcome *out, size_t max_bytes, int64_t started_ns);
