/*
 * What a disk and SQLite can do, without poppo.
 *   bench_disk DIRECTORY sync COUNT            4 KiB appended and synced, one after the other
 *   bench_disk DIRECTORY inserts COUNT BATCH   rows of a task's size into SQLite (WAL, synchronous FULL), BATCH a commit
 */
#include "base/clock.h"
#include "measure.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void bench_sync(const char *directory, size_t count)
{
        static const char page[4096];
        struct measure m;
        char path[512];
        int fd;

        snprintf(path, sizeof(path), "%s/sync", directory);
        fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
        if (fd < 0)
                measure_die(path);
        measure_start(&m, count);
        for (size_t i = 0; i < count; i++) {
                int64_t started = clock_now();

                if (pwrite(fd, page, sizeof(page), (off_t)(i % 1024 * sizeof(page))) != sizeof(page) || fdatasync(fd) < 0)
                        measure_die("fdatasync");
                measure_add(&m, clock_now() - started);
        }
        measure_report(&m);
        close(fd);
        unlink(path);
}

static void must(sqlite3 *db, int rc)
{
        if (rc != SQLITE_OK && rc != SQLITE_DONE)
                measure_die(sqlite3_errmsg(db));
}

/* An id, a few numbers, options and payload: what a durable hello takes. */
static void insert(sqlite3_stmt *stmt, size_t i)
{
        static const char bytes[128];

        sqlite3_bind_int64(stmt, 1, (sqlite3_int64)i + 1);
        sqlite3_bind_blob(stmt, 2, bytes, 16, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 3, "default", -1, SQLITE_STATIC);
        sqlite3_bind_blob(stmt, 4, bytes, 110, SQLITE_STATIC);
        sqlite3_bind_blob(stmt, 5, bytes, 60, SQLITE_STATIC);
        must(sqlite3_db_handle(stmt), sqlite3_step(stmt));
        sqlite3_reset(stmt);
}

static void bench_inserts(const char *directory, size_t count, size_t batch)
{
        sqlite3_stmt *stmt;
        struct measure m;
        char path[512];
        sqlite3 *db;

        snprintf(path, sizeof(path), "%s/inserts-%zu.db", directory, batch);
        must(NULL, sqlite3_open(path, &db));
        must(db, sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                                  "CREATE TABLE task (place INTEGER PRIMARY KEY, id BLOB, project TEXT, priority INTEGER,"
                                  "state INTEGER, options BLOB, task BLOB)", NULL, NULL, NULL));
        must(db, sqlite3_prepare_v2(db, "INSERT INTO task VALUES (?1, ?2, ?3, 0, 0, ?4, ?5)", -1, &stmt, NULL));
        measure_start(&m, count);
        for (size_t i = 0; i < count;) {
                int64_t started = clock_now();
                size_t n = 0;

                must(db, sqlite3_exec(db, "BEGIN", NULL, NULL, NULL));
                for (; n < batch && i < count; n++, i++)
                        insert(stmt, i);
                must(db, sqlite3_exec(db, "COMMIT", NULL, NULL, NULL));
                for (; n; n--)
                        measure_add(&m, clock_now() - started);
        }
        measure_report(&m);
        sqlite3_finalize(stmt);
        sqlite3_close(db);
        unlink(path);
}

int main(int argc, char **argv)
{
        if (argc == 4 && !strcmp(argv[2], "sync"))
                bench_sync(argv[1], strtoul(argv[3], NULL, 10));
        else if (argc == 5 && !strcmp(argv[2], "inserts"))
                bench_inserts(argv[1], strtoul(argv[3], NULL, 10), strtoul(argv[4], NULL, 10));
        else
                return 64;
        return 0;
}
