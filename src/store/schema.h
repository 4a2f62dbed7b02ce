/*
 * The tables, and how an older file becomes a newer one: the steps from each version to the next, all in one transaction,
 * after the file as it was has been copied beside it.
 */
#pragma once

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

enum { SCHEMA_APPLICATION = 0x706f7071 }; /* "popq" in the file's header */

/* The statements that lead from version i to i + 1 at index i; an empty file has version 0. */
extern const char *const schema_steps[];
extern const size_t schema_n_steps; /* the version that this program writes */

struct schema_upgrade {
        const char *const *steps;
        size_t n_steps;
        const char *path;
        char *backup; /* out, `size` bytes: the copy's path, or "" when there was nothing to copy */
        size_t size;
        size_t version; /* of the file as it was found; 0: it is empty. By schema_look() */
};

/* What is wrong with a file that is read. */
enum schema_fault { SCHEMA_FOREIGN = -1, SCHEMA_LATER = -2 };

/* Whose file it is and of which version; nothing of it is changed. 0, an enum schema_fault, or one of SQLite's codes. */
int schema_look(sqlite3 *db, struct schema_upgrade *upgrade);

/* Then: 0 and the file has the last version, or one of SQLite's codes. */
int schema_bring_up(sqlite3 *db, const struct schema_upgrade *upgrade);
