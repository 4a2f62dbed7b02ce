/*
 * execute-module: the world in which a module is loaded already is entered, or made and kept; then its method
 * is called there. The steps are apart because a world can be kept only while nothing is under way in the
 * engine.
 */
#pragma once

#include "wire/message.h"

#include <duktape.h>
#include <stdbool.h>

/* Enters the world of this module if there is one that still holds. False: the first world was entered. May
 * wait for the loader. */
bool module_enter(const struct wire_execute_module *task);
/* Loads the module into the world. Throws what the module throws, and what is wrong with it. */
void module_load(duk_context *ctx, const struct wire_execute_module *task);
/* Keeps the world, if all that the module asked for was answered. */
void module_keep(duk_context *ctx, const struct wire_execute_module *task);
/* Leaves on top what the method returns, or what the export is. */
void module_call(duk_context *ctx, const struct wire_execute_module *task);
