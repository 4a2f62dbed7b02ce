/* What the store keeps of its rights once its file is open: its channel, its log, and files beside that one.
 */
#pragma once

#include "sandbox/layer.h"

/* path: of its file; NULL or "": it has none. */
void confine(const char *path, struct layers *out);
