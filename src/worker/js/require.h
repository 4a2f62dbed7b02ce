/*
 * require() in the world of a module: built-in modules by name, anything else from the loader. It exists only
 * there, as what each module is handed; nothing in the first world leads to it.
 */
#pragma once

#include "base/buf.h"

#include <duktape.h>

/* Lays out the tables and the globals that CommonJS packages expect: global, process and Buffer. */
void require_install(duk_context *ctx);

/* Pushes the exports of what a task names. Throws. */
void require_entry(duk_context *ctx, struct bytes name);
