/*
 * The class plugin: a worker that loads one shared object and calls it for each task; poppo/plugin.h is the
 * manual. The object is loaded in the fresh child, before its sandbox is closed, and called only behind it.
 */
#pragma once

#include "wire/codec.h"

int worker_plugin_prepare(const struct wire_spawn_setup *setup);

/* In the child, before lock-down. Positive: refused, with the reason. */
int worker_plugin_load(const struct wire_spawn *ask, struct wire_refusal *why);

/* In the child, locked down. The channel must block. Uses _exit() only, unless the plugin calls exit(). */
_Noreturn void worker_plugin_run(int channel_fd, const struct wire_spawn *ask, struct bytes layers);
