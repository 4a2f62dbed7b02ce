/*
 * A handler's command line, with what it needs to be seen in the jail. The executable, and every argument
 * that is the absolute path of a file, such as an interpreter's script, is code that the operator named: each
 * is checked by sandbox/trusted.h, and seen inside without being listed in `paths`.
 */
#pragma once

#include "sandbox/jail.h"
#include "wire/codec.h"

enum { LAUNCH_ARGS_MAX = 256, LAUNCH_ENV_MAX = 8 };

/* Arrays end with NULL. */
struct launch {
        char *argv[LAUNCH_ARGS_MAX + 1];
        char *envp[LAUNCH_ENV_MAX + 1];
        char *paths[JAIL_PATHS_MAX + 1];
};

/* Strings are copied. Positive: refused, and `why` says what is wrong with which file. -ENOMEM. */
int launch_read(const struct wire_handler *handler, struct launch *out, struct wire_refusal *why);
/* Also after a refusal. */
void launch_fini(struct launch *c);
