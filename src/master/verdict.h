/* Why a worker's death ended its task, as a code and a sentence: the most precise one that the evidence allows. */
#pragma once

#include "wire/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the kernel says of a dead worker. */
struct worker_death {
        bool killed;  /* by a signal; else it exited */
        bool program; /* somebody else's, behind a closed sandbox */
        int status;  /* the signal, or the exit status */
        int64_t cpu_ns;
        uint64_t max_rss_bytes;
        const char *last_words; /* what it said itself; NULL or empty: nothing */
};

enum { VERDICT_TEXT = 640 }; /* room for the longest sentence */

/* `ours`: the code for which we killed it, WIRE_OK if we did not; `reason`: why we did. Writes the sentence. */
enum wire_code verdict_of_death(const struct worker_death *d, enum wire_code ours, const char *reason, char *text, size_t size);
