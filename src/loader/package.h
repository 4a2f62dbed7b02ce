/*
 * What a package.json says of where its modules are: `main`, and `exports` by Node's rules with the
 * conditions node, require and default. Paths in it are texts: what they name is for the one who asks to
 * find.
 */
#pragma once

#include "loader/roots.h"

#include <jansson.h>

struct package {
        json_t *json; /* NULL: there is none */
};

/* Reads the package.json in this directory. 0, also when there is none; ROOTS_REFUSED: it is there and of no
 * use; negative. What it was read from is in *found, when there is one; its descriptor is closed. */
int package_read(const struct roots *r, unsigned int root, const struct place *dir, struct package *out,
        struct found *found, struct reason *why);
void package_fini(struct package *p);

/* `main`, or NULL. */
const char *package_main(const struct package *p);
bool package_has_exports(const struct package *p);

/* What a name within the package ("." or "./lib/x") is exported as, relative to the package. 0 and *target,
 * which starts at the package's directory; ROOTS_REFUSED: not exported, or the table is wrong. */
int package_export(const struct package *p, const char *name, struct place *target, struct reason *why);
