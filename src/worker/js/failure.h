/* From whatever a task threw to a failure that people can read. */
#pragma once

#include "worker/outcome.h"

#include <duktape.h>

/* Describes the thrown value on top of the stack; an error of require()'s has a code of its own. Runs the
 * value's getters and toString, so only within the deadline; never throws itself. */
void failure_describe(duk_context *ctx, enum wire_code code, struct outcome *out);
