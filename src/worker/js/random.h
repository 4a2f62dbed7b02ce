/* Math.random() from the kernel: the engine's own generator lives in the image and would repeat itself in
 * every task. */
#pragma once

#include <duktape.h>

void random_install(duk_context *ctx);
