/*
 * Which commands may run. A rule is "EXECUTABLE [PATTERN...]", its parts separated by spaces:
 *
 *   EXECUTABLE   an absolute path, or a name that is looked up in JAIL_PATH. It must be there when the
 * settings come: a rule whose executable is missing allows nothing. Directories on its path may be links, but
 * what the name itself links to does not count: /bin/ls and ls are one, awk and the mawk behind it are two.
 *   PATTERN      as fnmatch(3) has them, for one argument each: the first for the first argument, and so on;
 *                there must be as many arguments as patterns. A * or ? stands for a slash as well.
 *   * or ...     as the last one: any further arguments, or none
 *   ""           as the only one: no arguments
 *
 * A rule without patterns allows any arguments. Without a single rule everything may run: the jail stands
 * behind it.
 */
#pragma once

#include "worker/shell/strlist.h"

#include <stdbool.h>

struct allow_rule {
        char *file;      /* canonical; NULL: was not there */
        char **patterns; /* into the rule's text; NULL behind the last */
        size_t n;
        bool any; /* also more arguments than that */
};

struct allow {
        struct strings texts;
        struct allow_rule *rules;
        bool restricted;
};

void allow_fini(struct allow *a);

/* From settings.allow, an encoded array. Executables are looked up in the calling process's own root.
 * -ENOMEM. */
int allow_read(struct allow *a, struct bytes array);

/* Whether this command may run, its name looked up in path. Positive: refused with COMMAND_REFUSED. With a
 * rule that allows it *file is what must be executed. */
int allow_check(const struct allow *a, char *const *argv, const char *path, const char **file,
        struct wire_refusal *why);

/* With rules: variables that would change what an executable is, or which one a name means, cannot be set. */
int allow_check_environment(const struct allow *a, struct bytes map, struct wire_refusal *why);
