/* The class http, for the spawner: it keeps the setup and loads the shared object in each fresh child. See
 * worker.h. */
#pragma once

#include "wire/codec.h"

/* In the spawner, before any fork. */
int class_http_prepare(const struct wire_spawn_setup *setup);
/* In the child, before and after it is locked down. Positive: the object cannot be used, and `why` says so.
 */
int class_http_load(const struct wire_spawn *ask, struct wire_refusal *why);
_Noreturn void class_http_run(int channel_fd, const struct wire_spawn *ask, struct bytes layers);
