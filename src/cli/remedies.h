/* Why a layer of isolation is missing here, and the one line that would help. */
#pragma once

struct remedy {
        const char *why, *fix;
};

/* For a layer that is partial or absent, as far as it can be told from this process. Never NULL. */
const struct remedy *remedy_find(const char *layer);
