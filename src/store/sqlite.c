/*
 * The SQLite engine: one connection, in WAL mode, with the exclusive lock held as long as it is open, so that there is no
 * second one and no shared memory file. Here: opening, closing, transactions, errors. sqlite_changes.c writes,
 * sqlite_load.c reads.
 */
#include "store/sqlite_engine.h"

#include "base/error.h"
#include "store/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Above this size a look at every page at each start takes too long; what is damaged then shows when it is read. */
enum { CHECKED_BYTES = 64 * 1024 * 1024, COMPACT_PAGES = 64 };

static const char *const texts[SQL_STATEMENTS] = {
        [SQL_BEGIN] = "BEGIN IMMEDIATE",
        [SQL_COMMIT] = "COMMIT",
        [SQL_ROLLBACK] = "ROLLBACK",
        [SQL_ACCEPT] = "INSERT INTO task (place, id, project, priority, state, not_before, owner, fence, lease_until, ended_at,"
                       " expires_at, options, task) VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, 0, 0, 0, 0, ?7, ?8)"
                       " ON CONFLICT (place) DO NOTHING",
        [SQL_BODY] = "INSERT INTO body (place, task) VALUES (?1, ?2) ON CONFLICT (place) DO NOTHING",
        [SQL_ATTEMPT] = "UPDATE task SET state = 1, fence = ?2, owner = ?3, lease_until = ?4, attempts = ?5"
                        " WHERE place = ?1 AND state < 2 AND (fence < ?2 OR (fence = ?2 AND owner = ?3))",
        [SQL_RELEASE] = "UPDATE task SET state = 0, fence = ?2, owner = ?3, lease_until = 0, not_before = ?4, attempts = ?5,"
                        " outcome = ?6, ended_at = 0, expires_at = 0"
                        " WHERE place = ?1 AND state IN (0, 1, 5) AND (fence < ?2 OR (fence = ?2 AND owner = ?3))",
        [SQL_END] = "UPDATE task SET state = ?4, fence = ?2, owner = ?3, lease_until = 0, ended_at = ?5, expires_at = ?6,"
                    " attempts = ?7, outcome = ?8, task = iif(?4 = 5, task, NULL)"
                    " WHERE place = ?1 AND state < 2 AND (fence < ?2 OR (fence = ?2 AND owner = ?3))",
        [SQL_CLAIM] = "SELECT id, fence, owner FROM task WHERE place = ?1",
        [SQL_DROP_BODY] = "DELETE FROM body WHERE place = ?1",
        [SQL_FORGET] = "DELETE FROM task WHERE place = ?1 AND state >= 2",
        [SQL_EXPIRE_BODIES] = "DELETE FROM body WHERE place IN (SELECT place FROM task WHERE expires_at > 0 AND"
                              " expires_at <= ?1 ORDER BY expires_at, place LIMIT ?2)",
        [SQL_EXPIRE] = "DELETE FROM task WHERE place IN (SELECT place FROM task WHERE expires_at > 0 AND"
                       " expires_at <= ?1 ORDER BY expires_at, place LIMIT ?2)",
        [SQL_SETTING] = "INSERT INTO setting (project, settings) VALUES (?1, ?2)"
                        " ON CONFLICT (project) DO UPDATE SET settings = excluded.settings",
        [SQL_SETTINGS] = "SELECT project, settings FROM setting",
        [SQL_ROWS] = "SELECT place, id, project, priority, state, not_before, fence, ended_at, expires_at, options,"
                     " ifnull(task, (SELECT b.task FROM body b WHERE b.place = t.place)), attempts, outcome"
                     " FROM task t WHERE place > ?1 AND place <= ?2 ORDER BY place",
        [SQL_PUT] = "INSERT OR REPLACE INTO task (place, id, project, priority, state, not_before, fence, lease_until, ended_at,"
                    " expires_at, options, task, attempts, outcome)"
                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?10, ?11, ?12, ?13)",
        [SQL_PROBE] = "UPDATE probe SET written = written + 1",
};

/* EXTRA is FULL, and syncs the directory as well when a journal is deleted. A new file has one before it has its log: were
 * the journal to come back after a power failure, it would undo what the log was built upon. */
static const char *const sync_words[] = {"EXTRA", "NORMAL", "OFF"};

/* ---- errors and statements ---- */

static int condition_of(int rc)
{
        switch (rc & 0xff) {
        case SQLITE_FULL:
        case SQLITE_NOMEM:
                return STORE_UNAVAILABLE;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return STORE_LOCKED;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return STORE_CORRUPT;
        default:
                return rc == SQLITE_IOERR_NOMEM ? STORE_UNAVAILABLE : STORE_BROKEN;
        }
}

int sqlite_condition(struct sqlite_store *s, int rc, const char *doing)
{
        int system = s->db ? sqlite3_system_errno(s->db) : 0;

        if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
                return 0;
        return store_say(&s->base, condition_of(rc), "%s: %s%s%s", doing, sqlite3_errstr(rc), system ? ": " : "",
                system ? strerror(system) : "");
}

int sqlite_run(struct sqlite_store *s, enum sqlite_statement which, const char *doing)
{
        int rc = sqlite3_step(s->statements[which]);

        if (rc == SQLITE_DONE || rc == SQLITE_ROW) {
                sqlite3_reset(s->statements[which]);
                return 0;
        }
        sqlite3_reset(s->statements[which]);
        return sqlite_condition(s, sqlite3_extended_errcode(s->db), doing);
}

void sqlite_bind_uint(struct sqlite_store *s, enum sqlite_statement which, int at, uint64_t v)
{
        sqlite3_bind_int64(s->statements[which], at, (sqlite3_int64)v);
}

void sqlite_bind_text(struct sqlite_store *s, enum sqlite_statement which, int at, struct bytes v)
{
        sqlite3_bind_text64(s->statements[which], at, (const char *)v.data, v.len, SQLITE_STATIC, SQLITE_UTF8);
}

void sqlite_bind_bytes(struct sqlite_store *s, enum sqlite_statement which, int at, struct bytes v)
{
        if (v.len)
                sqlite3_bind_blob64(s->statements[which], at, v.data, v.len, SQLITE_STATIC);
        else
                sqlite3_bind_null(s->statements[which], at);
}

static int execute(struct sqlite_store *s, const char *sql)
{
        int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

        return rc ? sqlite_condition(s, sqlite3_extended_errcode(s->db), sql) : 0;
}

static int ask(struct sqlite_store *s, const char *sql, uint64_t *out)
{
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

        if (!rc) {
                rc = sqlite3_step(stmt);
                *out = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(stmt, 0) : 0;
        }
        sqlite3_finalize(stmt);
        return sqlite_condition(s, rc, sql);
}

/* ---- opening ---- */

/* What concerns this connection only: the lock is asked for before anything is read. */
static int configure(struct sqlite_store *s)
{
        char sql[256];
        int rc;

        snprintf(sql, sizeof(sql),
                "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = %s; PRAGMA cache_size = -16384;"
                "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON;"
                "PRAGMA trusted_schema = OFF",
                sync_words[s->config.sync]);
        rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
        return rc ? sqlite_condition(s, sqlite3_extended_errcode(s->db), s->config.path) : 0;
}

/* What the file keeps: auto_vacuum before the first table. The log stays small because nothing but this connection reads it. */
static int choose_journal(struct sqlite_store *s)
{
        return execute(s, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 1000;"
                          "PRAGMA journal_size_limit = 16777216");
}

static int say_foreign(struct sqlite_store *s)
{
        return store_say(&s->base, STORE_CORRUPT, "%s is no store of poppo's", s->config.path);
}

/* SQLITE_ERROR: it lacks a table or a column of ours. */
static int prepare(struct sqlite_store *s)
{
        int rc = SQLITE_OK;

        for (int i = 0; !rc && i < SQL_STATEMENTS; i++)
                rc = sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL);
        return rc == SQLITE_ERROR ? say_foreign(s) : sqlite_condition(s, rc, s->config.path);
}

static int look(struct sqlite_store *s, struct schema_upgrade *upgrade)
{
        int rc = schema_look(s->db, upgrade);

        if (rc == SCHEMA_FOREIGN)
                return say_foreign(s);
        if (rc == SCHEMA_LATER)
                return store_say(&s->base, STORE_NEWER, "%s was written by a later version of poppo", s->config.path);
        return sqlite_condition(s, rc, s->config.path);
}

/* Nothing is changed in a file before it is known to be ours. */
static int bring_up(struct sqlite_store *s, struct store_info *info)
{
        struct schema_upgrade upgrade = {.steps = schema_steps, .n_steps = schema_n_steps, .path = s->config.path,
                .backup = info->backup, .size = sizeof(info->backup)};
        int r = look(s, &upgrade);

        if (!r)
                r = choose_journal(s);
        return r ? r : sqlite_condition(s, schema_bring_up(s->db, &upgrade), "tables");
}

static int file_bytes(struct sqlite_store *s, uint64_t *bytes)
{
        uint64_t pages = 0, size = 0;
        int r = ask(s, "PRAGMA page_count", &pages);

        if (!r)
                r = ask(s, "PRAGMA page_size", &size);
        *bytes = pages * size;
        return r;
}

/* sqlite3_step gives "ok" or a list of what is wrong, as text. */
static int look_for_damage(struct sqlite_store *s)
{
        sqlite3_stmt *stmt = NULL;
        const char *says = NULL;
        int r, rc = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &stmt, NULL);

        if (!rc)
                rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW)
                says = (const char *)sqlite3_column_text(stmt, 0);
        if (says && strcmp(says, "ok"))
                r = store_say(&s->base, STORE_CORRUPT, "%s is damaged: %s", s->config.path, says);
        else
                r = sqlite_condition(s, rc, "quick_check");
        sqlite3_finalize(stmt);
        return r;
}

/* Moves all that the log holds into the file, both synced: from here on what can be read is on disk. Without that, a log
 * written by a process that was killed before its sync would be believed, and a change that is sent again and found there
 * would be acknowledged for nothing. */
static int settle(struct sqlite_store *s)
{
        int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

        return rc ? sqlite_condition(s, sqlite3_extended_errcode(s->db), "checkpoint") : 0;
}

static int connect_file(struct sqlite_store *s)
{
        int rc = sqlite3_open_v2(s->config.path, &s->db,
                SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, s->config.vfs);

        if (rc)
                return sqlite_condition(s, rc, s->config.path);
        if (sqlite3_db_readonly(s->db, "main") == 1)
                return store_say(&s->base, STORE_BROKEN, "%s may not be written", s->config.path);
        return configure(s);
}

static void disconnect(struct sqlite_store *s)
{
        for (int i = 0; i < SQL_STATEMENTS; i++) {
                sqlite3_finalize(s->statements[i]);
                s->statements[i] = NULL;
        }
        sqlite3_close_v2(s->db);
        s->db = NULL;
}

static int open_file(struct sqlite_store *s, struct store_info *info)
{
        int r = connect_file(s);

        if (s->config.damaged)
                return r ? r : prepare(s);
        if (!r)
                r = bring_up(s, info);
        if (!r)
                r = settle(s);
        if (!r)
                r = file_bytes(s, &info->bytes);
        if (!r && info->bytes <= CHECKED_BYTES)
                r = look_for_damage(s);
        if (!r)
                r = prepare(s);
        if (!r)
                r = ask(s, "SELECT max(place) FROM task", &info->last_place);
        if (!r)
                r = ask(s, "SELECT min(place) FROM task", &info->first_place);
        info->version = (uint32_t)schema_n_steps;
        return r;
}

static int engine_open(const struct store_config *config, struct store **out, struct store_info *info)
{
        struct sqlite_store *s = calloc(1, sizeof(*s));

        *out = NULL;
        if (!s)
                return error_origin(-ENOMEM);
        s->base.ops = &store_sqlite;
        s->config = *config;
        s->config.path = strdup(config->path);
        *out = &s->base;
        return s->config.path ? open_file(s, info) : error_origin(-ENOMEM);
}

static void engine_close(struct store *base)
{
        struct sqlite_store *s = sqlite_of(base);

        disconnect(s);
        free((void *)s->config.path);
        free(s);
}

static int engine_reopen(struct store *base)
{
        struct store_info *info = calloc(1, sizeof(*info));
        int r;

        if (!info)
                return store_say(base, STORE_UNAVAILABLE, "no memory");
        disconnect(sqlite_of(base));
        r = open_file(sqlite_of(base), info);
        free(info);
        return r;
}

/* ---- transactions, housekeeping ---- */

static int engine_begin(struct store *base)
{
        return sqlite_run(sqlite_of(base), SQL_BEGIN, "begin");
}

static int engine_commit(struct store *base)
{
        return sqlite_run(sqlite_of(base), SQL_COMMIT, "commit");
}

/* SQLite may have rolled back by itself. */
static void engine_rollback(struct store *base)
{
        struct sqlite_store *s = sqlite_of(base);

        if (s->db && !sqlite3_get_autocommit(s->db))
                sqlite_run(s, SQL_ROLLBACK, "rollback");
}

static int engine_probe(struct store *base)
{
        return sqlite_run(sqlite_of(base), SQL_PROBE, "probe");
}

static int engine_compact(struct store *base, bool *more)
{
        struct sqlite_store *s = sqlite_of(base);
        char sql[64];
        uint64_t left = 0;
        int r;

        snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", COMPACT_PAGES);
        r = execute(s, sql);
        if (!r)
                r = ask(s, "PRAGMA freelist_count", &left);
        *more = left > 0;
        return r || *more ? r : settle(s);
}

static int engine_measure(struct store *base, struct store_figures *out)
{
        struct sqlite_store *s = sqlite_of(base);
        uint64_t free_pages = 0, pages = 0;
        char path[STORE_PATH + 8];
        struct stat st;
        int r = file_bytes(s, &out->bytes);

        if (!r)
                r = ask(s, "PRAGMA freelist_count", &free_pages);
        if (!r)
                r = ask(s, "PRAGMA page_count", &pages);
        out->free_bytes = pages ? out->bytes / pages * free_pages : 0;
        snprintf(path, sizeof(path), "%s-wal", s->config.path);
        out->log_bytes = stat(path, &st) < 0 ? 0 : (uint64_t)st.st_size;
        return r;
}

const struct store_ops store_sqlite = {
        .name = "sqlite",
        .open = engine_open,
        .close = engine_close,
        .reopen = engine_reopen,
        .probe = engine_probe,
        .begin = engine_begin,
        .commit = engine_commit,
        .rollback = engine_rollback,
        .accept = sqlite_accept,
        .attempt = sqlite_attempt,
        .release = sqlite_release,
        .end = sqlite_end,
        .setting = sqlite_setting,
        .forget = sqlite_forget,
        .expire = sqlite_expire,
        .load = sqlite_load,
        .settings = sqlite_settings,
        .compact = engine_compact,
        .measure = engine_measure,
};
