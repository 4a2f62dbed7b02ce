/* From a path to a plugin that may be called: whose file it is, the dynamic linker, what it exports. */
#pragma once

#include "poppo/plugin.h"
#include "wire/codec.h"

#include <stddef.h>

enum { PLUGIN_METRICS_MAX = 64 };

/* What members a plugin did not know of when it was built are NULL. */
struct plugin {
        struct poppo_plugin code;
        size_t n_metrics;
};

/* Before the sandbox is closed; runs the file's constructors. Positive: refused, and `why` says what is wrong
 * with it. */
int plugin_load(const char *path, struct plugin *out, struct wire_refusal *why);
