/*
 * The power fails. A random life is written through the recorder; then the disk is found as it may be after a cut at a
 * random point, a thousand times: the store opens, is whole, and holds exactly what was there after some commit, none older
 * than the last that was acknowledged.
 */
#include "shelf.h"

#include "recorder.h"

#include <libgen.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

enum { LIVES = 25, CUTS = 40, BATCHES = 40, CHANGES = 12 };

static struct life {
        struct store *store;
        char path[128];
        uint64_t next;                 /* place */
        size_t acknowledged[BATCHES + 1]; /* events at that time */
        uint64_t after[BATCHES + 1];   /* what was there then */
        unsigned int seed;
} life;

static unsigned int chance(unsigned int of)
{
        life.seed = life.seed * 1103515245u + 12345u;
        return (life.seed >> 12) % of;
}

static uint64_t digest(struct store *s)
{
        static char text[SHELF_TEXT];
        uint64_t h = 1469598103934665603u;

        shelf_describe(s, text);
        for (const char *c = text; *c; c++)
                h = (h ^ (uint8_t)*c) * 1099511628211u;
        return h;
}

static int change(struct store *s)
{
        uint64_t old = 1 + chance((unsigned int)life.next);
        struct wire_store_accept accept;
        struct wire_store_attempt attempt = shelf_attempt(old, 1);
        struct wire_store_end end = shelf_end(old, 1, chance(4), 0);

        switch (chance(6)) {
        case 0:
                return s->ops->attempt(s, &attempt);
        case 1:
                return s->ops->end(s, &end);
        case 2:
                return s->ops->forget(s, old);
        default:
                accept = shelf_accept(life.next++, chance(8) ? 10 + chance(500) : 20000);
                return s->ops->accept(s, &accept);
        }
}

static void live(unsigned int seed)
{
        struct store_config config;
        static struct store_info info;
        bool more;

        life = (struct life){.next = 1, .seed = seed};
        recorder_start();
        shelf_open(life.path);
        config = shelf_config(life.path, 1);
        config.vfs = "recorder";
        assert_int_equal(store_sqlite.open(&config, &life.store, &info), 0);
        for (int b = 0; b <= BATCHES; b++) {
                assert_int_equal(store_sqlite.begin(life.store), 0);
                for (int i = 0; b && i < CHANGES; i++)
                        assert_in_range(change(life.store), 0, STORE_STALE);
                assert_int_equal(store_sqlite.commit(life.store), 0);
                life.acknowledged[b] = recorder_events();
                life.after[b] = digest(life.store);
                if (!chance(5))
                        assert_int_equal(store_sqlite.compact(life.store, &more), 0);
                if (!chance(12))
                        if (store_sqlite.reopen(life.store))
                                fail_msg("%s", life.store->why);
        }
        store_sqlite.close(life.store);
}

static void expect_whole(const char *path)
{
        sqlite3_stmt *stmt = NULL;
        sqlite3 *db;

        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
        sqlite3_finalize(stmt);
        sqlite3_close(db);
}

static void expect_kept(const char *path, size_t cut)
{
        struct store_config config = shelf_config(path, 2);
        static struct store_info info;
        struct store *s;
        uint64_t found;
        int last = -1;

        if (store_sqlite.open(&config, &s, &info))
                fail_msg("cut %zu, first commit %zu: %s", cut, life.acknowledged[0], s->why);
        found = digest(s);
        store_sqlite.close(s);
        for (int b = 0; b <= BATCHES && life.acknowledged[b] <= cut; b++)
                last = b;
        /* Before the first acknowledgement there may be anything or nothing; after it one commit more, not yet told. */
        for (int b = last; last >= 0 && b <= BATCHES && b <= last + 1; b++)
                if (life.after[b] == found)
                        return;
        assert_int_equal(last, -1);
}

static void a_cut_at_any_point_loses_nothing_acknowledged(void **state)
{
        unsigned int seed = 1;

        (void)state;
        for (int l = 0; l < LIVES; l++) {
                live((unsigned int)l + 1);
                for (int c = 0; c < CUTS; c++) {
                        size_t cut;
                        char found[128], directory[128];

                        seed = seed * 1103515245u + 12345u;
                        cut = (seed >> 8) % (recorder_events() + 1);
                        shelf_open(found);
                        snprintf(directory, sizeof(directory), "%s", found);
                        recorder_cut(cut, seed, dirname(directory));
                        expect_kept(found, cut);
                        expect_whole(found);
                        shelf_remove(found);
                }
                recorder_stop();
                shelf_remove(life.path);
        }
}

/* That the test can fail: without syncs there is a cut that loses something. */
static int found_loss(void)
{
        int losses = 0;

        for (unsigned int seed = 1; seed <= 40; seed++) {
                struct store_config config;
                static struct store_info info;
                char found[128], directory[128];
                struct store *s;

                shelf_open(found);
                snprintf(directory, sizeof(directory), "%s", found);
                recorder_cut(life.acknowledged[BATCHES], seed, dirname(directory));
                config = shelf_config(found, 2);
                if (store_sqlite.open(&config, &s, &info) || digest(s) != life.after[BATCHES])
                        losses++;
                store_sqlite.close(s);
                shelf_remove(found);
        }
        return losses;
}

static void without_sync_a_cut_loses_something(void **state)
{
        struct store_config config;
        static struct store_info info;

        (void)state;
        life = (struct life){.next = 1, .seed = 3};
        recorder_start();
        shelf_open(life.path);
        config = shelf_config(life.path, 1);
        config.vfs = "recorder";
        config.sync = STORE_SYNC_OFF;
        assert_int_equal(store_sqlite.open(&config, &life.store, &info), 0);
        assert_int_equal(store_sqlite.begin(life.store), 0);
        for (int i = 0; i < CHANGES; i++)
                assert_in_range(change(life.store), 0, STORE_STALE);
        assert_int_equal(store_sqlite.commit(life.store), 0);
        life.acknowledged[BATCHES] = recorder_events();
        life.after[BATCHES] = digest(life.store);
        store_sqlite.close(life.store);
        assert_true(found_loss() > 0);
        recorder_stop();
        shelf_remove(life.path);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_cut_at_any_point_loses_nothing_acknowledged),
                cmocka_unit_test(without_sync_a_cut_loses_something),
        };

        return cmocka_run_group_tests_name("store/power", tests, NULL, NULL);
}
