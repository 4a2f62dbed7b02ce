/* What process.nextTick() puts off: calls that are made, in their order, when a task waits for a promise. */
#pragma once

#include <duktape.h>

/* Pushes nextTick. */
void jobs_push_next_tick(duk_context *ctx);

/* Makes every call that was put off, those that come in meanwhile included. Throws what they throw. */
void jobs_run(duk_context *ctx);
