/* Files of earlier, later and other programs: an older one is copied and brought up in one step, or stays what it was. */
#include "shelf.h"

#include "store/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const good[] = {
        "CREATE TABLE a (x); INSERT INTO a VALUES (1), (2)",
        "ALTER TABLE a ADD COLUMN y DEFAULT 7",
        "CREATE TABLE b (z); INSERT INTO b SELECT x + y FROM a",
};
static const char *const bad[] = {
        "CREATE TABLE a (x); INSERT INTO a VALUES (1), (2)",
        "ALTER TABLE a ADD COLUMN y DEFAULT 7",
        "DROP TABLE a; CREATE TABLE b (z); INSERT INTO nowhere VALUES (1)",
};

static char path[128], backup[192];

static sqlite3 *open_file(const char *at)
{
        sqlite3 *db;

        assert_int_equal(sqlite3_open(at, &db), SQLITE_OK);
        assert_int_equal(sqlite3_extended_result_codes(db, 1), SQLITE_OK);
        return db;
}

/* A single number, -1: it cannot be asked. */
static int ask(const char *at, const char *sql)
{
        sqlite3 *db = open_file(at);
        sqlite3_stmt *stmt = NULL;
        int value = -1;

        if (!sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) && sqlite3_step(stmt) == SQLITE_ROW)
                value = sqlite3_column_int(stmt, 0);
        sqlite3_finalize(stmt);
        sqlite3_close(db);
        return value;
}

static void change(const char *sql)
{
        sqlite3 *db = open_file(path);

        assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
}

static int bring_up(const char *const *steps, size_t n)
{
        struct schema_upgrade u = {.steps = steps, .n_steps = n, .path = path, .backup = backup, .size = sizeof(backup)};
        sqlite3 *db = open_file(path);
        int r;

        strcpy(backup, "?");
        r = schema_look(db, &u);
        if (!r)
                r = schema_bring_up(db, &u);
        sqlite3_close(db);
        return r;
}

static int setup(void **state)
{
        (void)state;
        shelf_open(path);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        shelf_remove(path);
        return 0;
}

static void an_empty_file_gets_all_steps_and_no_copy(void **state)
{
        (void)state;
        assert_int_equal(bring_up(good, 3), 0);
        assert_string_equal(backup, "");
        assert_int_equal(ask(path, "SELECT sum(z) FROM b"), 17);
        assert_int_equal(ask(path, "PRAGMA user_version"), 3);
        assert_int_equal(ask(path, "PRAGMA application_id"), SCHEMA_APPLICATION);
}

static void an_older_file_is_copied_and_brought_up(void **state)
{
        (void)state;
        assert_int_equal(bring_up(good, 1), 0);
        change("INSERT INTO a VALUES (40)");
        assert_int_equal(bring_up(good, 3), 0);
        assert_int_equal(ask(path, "SELECT sum(z) FROM b"), 64);
        assert_int_equal(ask(path, "PRAGMA user_version"), 3);
        assert_non_null(strstr(backup, ".version-1"));
        assert_int_equal(ask(backup, "SELECT sum(x) FROM a"), 43);
        assert_int_equal(ask(backup, "PRAGMA user_version"), 1);
        assert_int_equal(ask(backup, "SELECT count(*) FROM b"), -1);
}

static void one_of_the_last_version_is_left_alone(void **state)
{
        (void)state;
        assert_int_equal(bring_up(good, 3), 0);
        assert_int_equal(bring_up(good, 3), 0);
        assert_string_equal(backup, "");
        assert_int_equal(ask(path, "SELECT sum(z) FROM b"), 17);
}

static void an_upgrade_that_fails_leaves_the_file_as_it_was(void **state)
{
        (void)state;
        assert_int_equal(bring_up(bad, 1), 0);
        assert_int_equal(bring_up(bad, 3), SQLITE_ERROR);
        assert_int_equal(ask(path, "PRAGMA user_version"), 1);
        assert_int_equal(ask(path, "SELECT sum(x) FROM a"), 3);
        assert_int_equal(ask(path, "SELECT count(y) FROM a"), -1);
        assert_int_equal(ask(backup, "SELECT sum(x) FROM a"), 3);
        assert_int_equal(bring_up(good, 3), 0);
        assert_int_equal(ask(path, "SELECT sum(z) FROM b"), 17);
}

static void half_a_copy_of_an_earlier_try_is_replaced(void **state)
{
        char half[192];
        FILE *f;

        (void)state;
        assert_int_equal(bring_up(good, 1), 0);
        snprintf(half, sizeof(half), "%s.version-1", path);
        f = fopen(half, "w");
        assert_non_null(f);
        assert_int_equal(fputs("half", f) < 0 || fclose(f), 0);
        assert_int_equal(bring_up(good, 2), 0);
        assert_string_equal(backup, half);
        assert_int_equal(ask(half, "SELECT sum(x) FROM a"), 3);
}

static void without_a_copy_nothing_is_upgraded(void **state)
{
        char taken[192];

        (void)state;
        assert_int_equal(bring_up(good, 1), 0);
        snprintf(taken, sizeof(taken), "%s.version-1", path);
        assert_int_equal(mkdir(taken, 0700), 0);
        assert_int_not_equal(bring_up(good, 3), 0);
        assert_int_equal(ask(path, "PRAGMA user_version"), 1);
        assert_int_equal(ask(path, "SELECT sum(x) FROM a"), 3);
        assert_int_equal(rmdir(taken), 0);
        assert_int_equal(bring_up(good, 3), 0);
}

static void later_and_foreign_files_are_told_apart(void **state)
{
        (void)state;
        assert_int_equal(bring_up(good, 3), 0);
        assert_int_equal(bring_up(good, 2), SCHEMA_LATER);
        change("PRAGMA application_id = 1");
        assert_int_equal(bring_up(good, 3), SCHEMA_FOREIGN);
        /* SCHEMA_APPLICATION, yet no version. */
        change("PRAGMA application_id = 0x706f7071; PRAGMA user_version = 0");
        assert_int_equal(bring_up(good, 3), SCHEMA_FOREIGN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(an_empty_file_gets_all_steps_and_no_copy),
                TEST(an_older_file_is_copied_and_brought_up),
                TEST(one_of_the_last_version_is_left_alone),
                TEST(an_upgrade_that_fails_leaves_the_file_as_it_was),
                TEST(half_a_copy_of_an_earlier_try_is_replaced),
                TEST(without_a_copy_nothing_is_upgraded),
                TEST(later_and_foreign_files_are_told_apart),
        };

        return cmocka_run_group_tests_name("store/schema", tests, NULL, NULL);
}
