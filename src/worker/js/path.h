/* Where a value lies within a result, for people: result.rows[3]. */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum { PATH_ROOM = 72 }; /* two of them and a few words fit into a refusal */

/* One level of the way from the result to the value at hand. */
struct step {
        const struct step *up;
        void *object;
        struct bytes key; /* how the level above leads here; .data is NULL for an index */
        uint32_t index;
};

struct path {
        char text[PATH_ROOM];
        size_t len;
};

/* Writes the way to a step, as UTF-8; of a long one what fits. The path must be empty. */
void path_fill(struct path *p, const struct step *s);
