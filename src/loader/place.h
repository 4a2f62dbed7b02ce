/*
 * Where a file is inside its root: a path without a leading slash, without empty parts, "." and "..". The
 * empty path is the root itself. Modules see their root as "/", so an absolute name counts from there.
 */
#pragma once

#include "base/buf.h"

enum { PLACE_BYTES = 4096 };

struct place {
        char text[PLACE_BYTES]; /* ends with a NUL */
        size_t len;
};

enum place_condition {
        PLACE_OUTSIDE = 1, /* a ".." leads out of the root */
        PLACE_TOO_LONG,
        PLACE_INVALID, /* has a NUL byte */
};

void place_root(struct place *p);

/* Goes on from p along a relative path, as text: links are not looked at. 0, or an enum place_condition. */
int place_walk(struct place *p, struct bytes path);

/* Up to the directory that p is in; the root stays. */
void place_up(struct place *p);

/* Puts an ending behind the last part. PLACE_TOO_LONG. */
int place_append(struct place *p, const char *ending);

/* The last part; empty for the root. */
struct bytes place_name(const struct place *p);
