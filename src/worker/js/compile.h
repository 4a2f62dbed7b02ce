/* From a module's text to its function, or its value. */
#pragma once

#include "base/buf.h"

#include <duktape.h>

/* Pushes the function whose head is `before` and whose body the text is; its lines are counted from the
 * text's first one. Throws a syntax error that names the file and is marked as such. */
void compile_push_function(duk_context *ctx, const char *before, struct bytes file_name, struct bytes text);

/* Pushes the value; throws as well. */
void compile_push_json(duk_context *ctx, struct bytes file_name, struct bytes text);

/* Wipes what was left outside of the arena. */
void compile_forget(void);
