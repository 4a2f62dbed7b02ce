/* Resource limits of a worker, from rlimits.def: set soft and hard, read back, and compared. */
#pragma once

#include "spawner/lockdown.h"

/* An enum layer_state. enforced: each reads back as asked. partial: one does not, or was left out under a tool. */
int rlimits_apply(const struct lockdown *l);

/* Address space in use now. */
int rlimits_mapped_bytes(uint64_t *bytes);
