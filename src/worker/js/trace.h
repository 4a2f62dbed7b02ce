/* The `stack` of errors as a task's author wants it: the frames of the task, without the engine's own. */
#pragma once

#include <duktape.h>

void trace_install(duk_context *ctx);
