/*
 * The worker of class http: one process of one project, many transfers at once. It lives in a shared object
 * of its own, poppod-http.so, since libcurl brings thirty libraries along that the spawner, which forks every
 * worker there is, must not have. The fresh child loads it before it locks itself down.
 */
#pragma once

#include "wire/message.h"

/* Before the lock-down: whatever reads files or looks at the machine. Negative: the worker cannot run. */
int worker_http_load(const struct wire_spawn_setup *setup);

/* Locked down. Uses _exit() only. The channel is non-blocking; layers is an encoded map. */
_Noreturn void worker_http_run(int channel_fd, struct bytes layers);
