/*
 * Compiling what a task brings. The file is called task.js and lines count from the task's own first one.
 * Each pushes a function; a syntax error is thrown as such, and source_is_compiling() tells it from one that
 * the task threw itself.
 */
#pragma once

#include "base/buf.h"

#include <duktape.h>
#include <stdbool.h>

/* A program: calling it gives its completion value. Code with a top-level `return` is compiled as a body
 * instead. */
void source_push_program(duk_context *ctx, struct bytes code);

/* The body of a function without arguments. */
void source_push_body(duk_context *ctx, struct bytes code);

/* The function that an expression or a declaration gives. Evaluates it, so it may throw anything. */
void source_push_function(duk_context *ctx, struct bytes code);

bool source_is_compiling(void);
/* For the begin of a task, since one may have been stopped amid compiling. */
void source_begin(void);
