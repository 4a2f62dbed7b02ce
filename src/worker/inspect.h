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
 * called, cycles and deep levels are named instead of followed. Runs within the task's deadline; throws only
 * for memory. */
void inspect_append(struct inspector *in, duk_idx_t idx);

/* Appends bytes that are UTF-8, or what fits of them. */
void inspect_text(struct inspector *in, struct bytes text);
