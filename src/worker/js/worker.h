/*
 * The JavaScript worker (class js): one process, one task at a time, a fresh world for each.
 *
 * The spawner calls worker_js_prepare() once, before any fork: the world that every task starts from is built
 * there and reaches the workers by fork. Each child locks itself down and calls worker_js_run(), which never
 * comes back; wire/exits.def says how it may end.
 *
 * The process needs RLIMIT_STACK of the memory limit and 64 MiB more, set before its exec, so that recursion
 * in native code meets the engine's own limits, or the arena's end, before the end of the stack.
 */
#pragma once

#include "wire/message.h"

/* Maps the arena, builds the globals and keeps their image. Negative: no worker can be started. */
int worker_js_prepare(const struct wire_spawn_setup *setup);

/* Size of the image that each task's world is restored from. */
size_t worker_js_image_bytes(void);

/* Sends `ready` with the layers (an encoded map), then serves until the channel closes. Uses _exit() only.
 * The channel must be a blocking stream socket. A cancel is SIGUSR1, a wish to follow SIGUSR2, with the low 32 bits of the
 * attempt's generation as its value. TZ must still be UTC, as worker_js_prepare() set it. */
_Noreturn void worker_js_run(int channel_fd, const struct wire_spawn *ask, struct bytes layers);
