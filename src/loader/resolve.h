/*
 * Node's CommonJS algorithm inside one root: relative names, node_modules from the asking file's directory up
 * to the root and never above, package.json, index files. A task, which is in no file, asks every root in
 * turn, as a file at its top would, and may leave the "./" out.
 */
#pragma once

#include "loader/proof.h"

/* Finds the file. 0: *answer is filled, and *file open, the caller's; ROOTS_ABSENT: there is nothing, and
 * `why` says what was looked for; negative. Package files that were read on the way are added to the proof,
 * which may be NULL. */
int resolve(const struct roots *r, const struct question *q, struct answer *answer, struct found *file,
        struct reason *why, struct proof *proof);
