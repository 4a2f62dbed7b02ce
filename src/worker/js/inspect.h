/* Values as people read them in a log: close to what other JavaScript consoles print, and without side
 * effects of note. */
#pragma once

#include "base/buf.h"

#include <duktape.h>
#include <stdbool.h>

struct inspector {
        duk_context *ctx;
        struct buf *out;
        bool full; /* the bound was reached: what did not fit was left out */
};

/* Appends the value at idx. A string stands as it is, one inside of something is quoted. Getters are not
 * called, cycles and deep levels are named instead of followed. Runs within the task's deadline, since a proxy's
 * traps are the task's code; throws only for memory. */
void inspect_append(struct inspector *in, duk_idx_t idx);

/* Appends a string of the engine's as UTF-8, or what fits of it. */
void inspect_text(struct inspector *in, struct bytes text);
