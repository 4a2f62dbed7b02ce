/* Errors of require()'s: marked with the code that the task's failure will have if nobody catches them. */
#pragma once

#include "base/buf.h"
#include "wire/message.h"

#include <duktape.h>

/* Marks the error on top. */
void require_mark(duk_context *ctx, enum wire_code code);
/* And throws it. */
_Noreturn void require_throw_marked(duk_context *ctx, enum wire_code code);

/* "cannot find module NAME (required by FILE:LINE): REASON", for the call of require() that is being made. */
_Noreturn void require_throw_unavailable(
        duk_context *ctx, enum wire_code code, struct bytes name, struct bytes reason);

/* The code that the thrown value on top is marked with; `other` if it is not. Within a protected call. */
enum wire_code require_code(duk_context *ctx, enum wire_code other);
