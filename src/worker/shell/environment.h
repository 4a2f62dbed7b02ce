/* The variables of a command, from several maps of which each goes before the ones before it. */
#pragma once

#include "worker/shell/strlist.h"

/* The variables of a command: "NAME=value" of each entry of the maps, where a later one of a name takes the
 * place of an earlier one. Names are those that POSIX shells can write. */
struct environment {
        struct buf text;  /* NAME=value and NUL, one after the other */
        struct buf items; /* size_t: where each begins */
};

void environment_init(struct environment *e);
void environment_fini(struct environment *e);
int environment_set(struct environment *e, struct bytes name, struct bytes value);
/* Positive: refused with INVALID_TASK. Empty bytes are an empty map. */
int environment_add(struct environment *e, struct bytes map, struct wire_refusal *why);
/* NULL: there is none. */
const char *environment_get(const struct environment *e, const char *name);
int environment_list(const struct environment *e, struct strings *out);
