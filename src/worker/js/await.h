/* Results that are promises: anything with a `then` that can be called. */
#pragma once

#include <duktape.h>

/* Replaces the value on top by what it settles to. Throws what it is rejected with, and an Error if it is
 * still pending when nothing is left to do. */
void await_settled(duk_context *ctx);
