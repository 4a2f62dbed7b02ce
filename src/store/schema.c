/* Tables and upgrades. */
#include "store/schema.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const schema_steps[] = {
        /*
         * A task's payload stands in its row while it is small, else in `body`, so that the row's later states do not write
         * it again. owner, fence and lease_until say who may run it: whoever claims it takes a greater fence, and nobody
         * with a smaller one can change it any more. With a single supervisor a claim ends with its owner; where several
         * share the tables they pick by state, not_before and priority, and claims end at lease_until.
         */
        "CREATE TABLE task (place INTEGER PRIMARY KEY, id BLOB NOT NULL, project TEXT NOT NULL, priority INTEGER NOT NULL,"
        " state INTEGER NOT NULL, not_before INTEGER NOT NULL, owner BLOB, fence INTEGER NOT NULL,"
        " lease_until INTEGER NOT NULL, ended_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, options BLOB NOT NULL,"
        " attempts BLOB, outcome BLOB, task BLOB);"
        "CREATE INDEX task_expiry ON task (expires_at) WHERE expires_at > 0;"
        "CREATE TABLE body (place INTEGER PRIMARY KEY, task BLOB NOT NULL);"
        "CREATE TABLE setting (project TEXT PRIMARY KEY, settings BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE probe (only INTEGER PRIMARY KEY CHECK (only = 1), written INTEGER NOT NULL);"
        "INSERT INTO probe VALUES (1, 0);",
};
const size_t schema_n_steps = sizeof(schema_steps) / sizeof(schema_steps[0]);

static int ask(sqlite3 *db, const char *sql, int64_t *out)
{
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

        if (!rc) {
                rc = sqlite3_step(stmt);
                *out = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
        }
        sqlite3_finalize(stmt);
        return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The copy must be whole and on disk before the original is touched. */
static int make_durable(const char *path)
{
        char copy[4096 + 32];
        int fd = open(path, O_RDONLY | O_CLOEXEC), r = fd < 0 ? -1 : fsync(fd);

        if (fd >= 0)
                close(fd);
        snprintf(copy, sizeof(copy), "%s", path);
        fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fsync(fd) < 0)
                r = -1;
        if (fd >= 0)
                close(fd);
        return r < 0 ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

/* A copy of an attempt that was cut short is made anew. */
static int back_up(sqlite3 *db, const struct schema_upgrade *u)
{
        char *sql;
        int rc;

        snprintf(u->backup, u->size, "%s.version-%zu", u->path, u->version);
        unlink(u->backup);
        sql = sqlite3_mprintf("VACUUM INTO %Q", u->backup);
        if (!sql)
                return SQLITE_NOMEM;
        rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
        sqlite3_free(sql);
        return rc ? rc : make_durable(u->backup);
}

static int run_steps(sqlite3 *db, const struct schema_upgrade *u)
{
        char mark[128];
        int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

        for (size_t i = u->version; !rc && i < u->n_steps; i++)
                rc = sqlite3_exec(db, u->steps[i], NULL, NULL, NULL);
        snprintf(mark, sizeof(mark), "PRAGMA application_id = %d; PRAGMA user_version = %zu; COMMIT", SCHEMA_APPLICATION,
                u->n_steps);
        if (!rc)
                rc = sqlite3_exec(db, mark, NULL, NULL, NULL);
        if (rc && !sqlite3_get_autocommit(db))
                sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        return rc;
}

int schema_look(sqlite3 *db, struct schema_upgrade *u)
{
        int64_t application = 0, version = 0, tables = 0;
        int rc = ask(db, "PRAGMA application_id", &application);

        if (!rc)
                rc = ask(db, "PRAGMA user_version", &version);
        if (!rc)
                rc = ask(db, "SELECT count(*) FROM sqlite_schema", &tables);
        if (rc)
                return rc;
        if (tables ? application != SCHEMA_APPLICATION || version < 1 : application || version)
                return SCHEMA_FOREIGN;
        if (version > (int64_t)u->n_steps)
                return SCHEMA_LATER;
        u->version = (size_t)version;
        return SQLITE_OK;
}

int schema_bring_up(sqlite3 *db, const struct schema_upgrade *u)
{
        int rc = SQLITE_OK;

        *u->backup = 0;
        if (u->version == u->n_steps)
                return SQLITE_OK;
        if (u->version)
                rc = back_up(db, u);
        return rc ? rc : run_steps(db, u);
}
