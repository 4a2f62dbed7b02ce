/* What a root shows of the machine: mounts that were taken from it, and links, on their way to their places.
 */
#pragma once

#include "sandbox/jail.h"

#include <limits.h>

enum { JAIL_SHOWN_MAX = JAIL_PATHS_MAX + 32 };

struct jail_shown {
        char at[PATH_MAX];
        char link[PATH_MAX]; /* empty: a mount */
        int tree;
        bool is_dir;
};

struct jail_view {
        size_t n;
        struct jail_shown shown[JAIL_SHOWN_MAX];
};

/* Takes the system's directories, the devices and the spec's paths, before anything covers them. Negative:
 * jail.fault names what could not be had. The view's trees are the caller's either way. */
int jail_view_take(struct jail_view *v, struct jail *j);
void jail_view_fini(struct jail_view *v);

/* Whether the path is that directory or below it. */
bool jail_lies_in(const char *path, const char *dir);
