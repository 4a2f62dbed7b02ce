/* What becomes of a layer of a sandbox: whoever lays one says so, and nobody takes it for granted. */
#pragma once

enum layer_state { LAYER_ABSENT, LAYER_PARTIAL, LAYER_ENFORCED, LAYER_STATES };

static const char *const layer_words[LAYER_STATES] = {
        [LAYER_ABSENT] = "absent", [LAYER_PARTIAL] = "partial", [LAYER_ENFORCED] = "enforced"};
