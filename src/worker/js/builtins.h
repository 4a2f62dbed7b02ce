/*
 * The built-in modules: their sources, which are in modules/ and are built in, and the names of Node's that
 * the sandbox has nothing for.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

struct builtin {
        const char *name;
        struct bytes source;
};

/* The built-in module of this name, with or without "node:"; NULL. */
const struct builtin *builtin_find(struct bytes name);

/* Whether Node has a module of this name that is not to be had here. */
bool builtin_is_withheld(struct bytes name);
