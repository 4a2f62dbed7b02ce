/* What the files of the SQLite engine share; nobody else includes this. */
#pragma once

#include "store/engine.h"

#include <sqlite3.h>

enum sqlite_statement {
        SQL_BEGIN,
        SQL_COMMIT,
        SQL_ROLLBACK,
        SQL_ACCEPT,
        SQL_BODY,
        SQL_ATTEMPT,
        SQL_RELEASE,
        SQL_END,
        SQL_CLAIM,
        SQL_DROP_BODY,
        SQL_FORGET,
        SQL_EXPIRE_BODIES,
        SQL_EXPIRE,
        SQL_SETTING,
        SQL_SETTINGS,
        SQL_ROWS,
        SQL_PROBE,
        SQL_PUT,
        SQL_STATEMENTS,
};

struct sqlite_store {
        struct store base;
        struct store_config config; /* its path is ours */
        sqlite3 *db;
        sqlite3_stmt *statements[SQL_STATEMENTS];
};

static inline struct sqlite_store *sqlite_of(struct store *s)
{
        return (struct sqlite_store *)s;
}

/* 0 for SQLite's OK, ROW and DONE; else an enum store_condition, with a sentence in base.why. */
int sqlite_condition(struct sqlite_store *s, int rc, const char *doing);

/* Runs a prepared statement that gives no row, and resets it. */
int sqlite_run(struct sqlite_store *s, enum sqlite_statement which, const char *doing);

/* Binding from 1 on; a failure shows when the statement is run. Bytes are borrowed until then. */
void sqlite_bind_uint(struct sqlite_store *s, enum sqlite_statement which, int at, uint64_t v);
void sqlite_bind_text(struct sqlite_store *s, enum sqlite_statement which, int at, struct bytes v);
/* Empty bytes are NULL. */
void sqlite_bind_bytes(struct sqlite_store *s, enum sqlite_statement which, int at, struct bytes v);

/* sqlite_changes.c */
int sqlite_accept(struct store *, const struct wire_store_accept *);
int sqlite_attempt(struct store *, const struct wire_store_attempt *);
int sqlite_release(struct store *, const struct wire_store_release *);
int sqlite_end(struct store *, const struct wire_store_end *);
int sqlite_setting(struct store *, const struct wire_store_setting *);
int sqlite_forget(struct store *, uint64_t place);
int sqlite_expire(struct store *, uint64_t now_ms, unsigned int limit, unsigned int *n);

/* A row as it is, for a copy of the file. */
int sqlite_put(struct sqlite_store *, const struct wire_store_row *);

/* sqlite_load.c */
int sqlite_load(struct store *, struct store_page *, struct store_reader *);
int sqlite_settings(struct store *, struct store_reader *);
