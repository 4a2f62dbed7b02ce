/*
 * "Did you mean ...?": offer every known word, take the one that a typing mistake may have been meant for.
 *   struct nearest n;
 *   nearest_init(&n, typed);
 *   for (...) nearest_offer(&n, table[i].name);
 *   if (n.best) hint(n.best);
 */
#pragma once

#include <stddef.h>

struct nearest {
        const char *word;
        const char *best; /* NULL: nothing is near enough to be worth a hint */
        size_t distance;  /* of best */
};

/* Words are borrowed; those over 64 bytes are never near to anything. */
void nearest_init(struct nearest *n, const char *word);

/* A swap of neighbours, a missing, extra or wrong letter count one each, upper and lower case nothing. Near is at
 * most a third of the letters; of two that are equally near the one offered first wins. */
void nearest_offer(struct nearest *n, const char *candidate);
