/* What becomes of a layer of a sandbox: whoever lays one says so, and nobody takes it for granted. */
#pragma once

#include <stddef.h>

enum layer_state { LAYER_ABSENT, LAYER_PARTIAL, LAYER_ENFORCED, LAYER_STATES };

static const char *const layer_words[LAYER_STATES] = {
        [LAYER_ABSENT] = "absent", [LAYER_PARTIAL] = "partial", [LAYER_ENFORCED] = "enforced"};

/* Those of one process, in the order in which they were laid. */
enum { LAYERS_MAX = 12 };
struct layers {
        struct {
                const char *name;
                enum layer_state state;
        } list[LAYERS_MAX];
        size_t n;
};
