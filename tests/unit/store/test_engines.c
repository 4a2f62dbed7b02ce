/* Every engine keeps the same promises: each test runs on all of them. What concerns the file is in test_schema.c. */
#include "shelf.h"

#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct rig {
        const struct store_ops *ops;
        struct store *store;
        char path[128];
} rig;

static void open_as(uint8_t owner)
{
        struct store_config config = shelf_config(rig.path, owner);
        static struct store_info info;

        assert_int_equal(rig.ops->open(&config, &rig.store, &info), 0);
}

static int setup(void **state)
{
        rig.ops = *state;
        shelf_open(rig.path);
        open_as(1);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        rig.ops->close(rig.store);
        shelf_remove(rig.path);
        return 0;
}

/* One change in a transaction of its own. */
#define DO(op, ...)                                                                                          \
        ({                                                                                                   \
                __auto_type change_ = shelf_##op(__VA_ARGS__);                                               \
                int result_;                                                                                 \
                assert_int_equal(rig.ops->begin(rig.store), 0);                                              \
                result_ = rig.ops->op(rig.store, &change_);                                                  \
                assert_int_equal(rig.ops->commit(rig.store), 0);                                             \
                result_;                                                                                     \
        })
#define KEEP(op, ...) assert_int_equal(DO(op, __VA_ARGS__), 0)
#define STALE(op, ...) assert_int_equal(DO(op, __VA_ARGS__), STORE_STALE)

static void expect_state(uint64_t place, int state)
{
        assert_int_equal(shelf_state(rig.store, place), state);
}

static void a_task_goes_its_way(void **state)
{
        (void)state;
        KEEP(accept, 1, 100);
        expect_state(1, STORE_QUEUED);
        KEEP(attempt, 1, 1);
        expect_state(1, STORE_RUNNING);
        KEEP(release, 1, 1, 99);
        expect_state(1, STORE_QUEUED);
        KEEP(attempt, 1, 2);
        KEEP(end, 1, 2, 0, 0);
        expect_state(1, STORE_SUCCEEDED);
}

static void every_change_may_come_twice(void **state)
{
        static char once[SHELF_TEXT], twice[SHELF_TEXT];

        (void)state;
        KEEP(accept, 1, 5000);
        KEEP(attempt, 1, 1);
        KEEP(release, 1, 1, 99);
        KEEP(attempt, 1, 2);
        KEEP(end, 1, 2, 1, 50);
        shelf_describe(rig.store, once);
        KEEP(accept, 1, 5000);
        KEEP(attempt, 1, 1);
        KEEP(attempt, 1, 2);
        KEEP(end, 1, 2, 1, 50);
        shelf_describe(rig.store, twice);
        assert_string_equal(once, twice);
}

static void a_smaller_token_changes_nothing(void **state)
{
        (void)state;
        KEEP(accept, 1, 100);
        KEEP(attempt, 1, 5);
        rig.ops->close(rig.store);
        if (rig.ops == &store_memory)
                return open_as(1);
        open_as(2);
        STALE(end, 1, 4, 0, 0);
        STALE(end, 1, 5, 0, 0);
        STALE(release, 1, 5, 0);
        STALE(attempt, 1, 5);
        expect_state(1, STORE_RUNNING);
        KEEP(attempt, 1, 6);
        KEEP(end, 1, 6, 0, 0);
        expect_state(1, STORE_SUCCEEDED);
}

static void an_end_is_recorded_once(void **state)
{
        (void)state;
        KEEP(accept, 1, 100);
        KEEP(attempt, 1, 1);
        KEEP(end, 1, 1, 0, 0);
        /* Accepted as made already, and not made. */
        KEEP(end, 1, 1, 1, 0);
        expect_state(1, STORE_SUCCEEDED);
}

static void a_place_is_one_tasks(void **state)
{
        struct wire_store_accept other = shelf_accept(1, 100);
        uint8_t id[16] = {9, 9};

        (void)state;
        KEEP(accept, 1, 100);
        other = shelf_accept(1, 100);
        other.id = (struct bytes){id, sizeof(id)};
        assert_int_equal(rig.ops->begin(rig.store), 0);
        assert_int_equal(rig.ops->accept(rig.store, &other), STORE_STALE);
        assert_int_equal(rig.ops->commit(rig.store), 0);
        STALE(attempt, 2, 1);
        STALE(end, 2, 1, 0, 0);
}

static void a_transaction_rolled_back_leaves_nothing(void **state)
{
        static char before[SHELF_TEXT], after[SHELF_TEXT];
        struct wire_store_accept accept;
        struct wire_store_end end = shelf_end(1, 1, 0, 0);

        (void)state;
        KEEP(accept, 1, 2000);
        KEEP(accept, 2, 100);
        KEEP(end, 2, 0, 2, 0);
        shelf_describe(rig.store, before);
        assert_int_equal(rig.ops->begin(rig.store), 0);
        accept = shelf_accept(3, 3000);
        assert_int_equal(rig.ops->accept(rig.store, &accept), 0);
        assert_int_equal(rig.ops->end(rig.store, &end), 0);
        assert_int_equal(rig.ops->forget(rig.store, 2), 0);
        rig.ops->rollback(rig.store);
        shelf_describe(rig.store, after);
        assert_string_equal(before, after);
}

static void a_dead_task_keeps_its_payload_and_comes_back(void **state)
{
        static char text[SHELF_TEXT];

        (void)state;
        KEEP(accept, 1, 3000);
        KEEP(attempt, 1, 1);
        KEEP(end, 1, 1, 3, 50);
        shelf_describe(rig.store, text);
        assert_non_null(strstr(text, "task 3000 "));
        KEEP(release, 1, 2, 0);
        expect_state(1, STORE_QUEUED);
        KEEP(end, 1, 2, 0, 0);
        shelf_describe(rig.store, text);
        assert_non_null(strstr(text, "task 0 "));
}

static void what_waits_or_runs_is_not_forgotten(void **state)
{
        (void)state;
        for (uint64_t place = 1; place <= 3; place++)
                KEEP(accept, place, 2000);
        KEEP(attempt, 2, 1);
        KEEP(end, 3, 0, 2, 0);
        assert_int_equal(rig.ops->begin(rig.store), 0);
        for (uint64_t place = 1; place <= 4; place++)
                assert_int_equal(rig.ops->forget(rig.store, place), 0);
        assert_int_equal(rig.ops->commit(rig.store), 0);
        expect_state(1, STORE_QUEUED);
        expect_state(2, STORE_RUNNING);
        expect_state(3, -1);
}

static unsigned int expire(uint64_t now, unsigned int limit)
{
        unsigned int n = 0;

        assert_int_equal(rig.ops->begin(rig.store), 0);
        assert_int_equal(rig.ops->expire(rig.store, now, limit, &n), 0);
        assert_int_equal(rig.ops->commit(rig.store), 0);
        return n;
}

static void records_expire_in_steps_the_oldest_first(void **state)
{
        (void)state;
        for (uint64_t place = 1; place <= 5; place++) {
                KEEP(accept, place, place * 900);
                if (place < 5)
                        KEEP(end, place, 0, place == 4 ? 3 : 0, place == 3 ? 0 : 100 - place);
        }
        assert_int_equal(expire(95, 10), 0);
        assert_int_equal(expire(98, 1), 1);
        expect_state(4, -1);
        expect_state(2, STORE_SUCCEEDED);
        assert_int_equal(expire(1000, 10), 2);
        expect_state(3, STORE_SUCCEEDED);
        expect_state(5, STORE_QUEUED);
}

struct taker {
        struct store_reader reader;
        uint64_t seen[8];
        int n, most;
};

static int take(struct store_reader *reader, const struct wire_store_row *row)
{
        struct taker *t = container_of(reader, struct taker, reader);

        if (t->n == t->most)
                return 1;
        t->seen[t->n++] = row->place;
        return 0;
}

static void pages_are_in_order_and_end_where_they_are_told(void **state)
{
        struct taker t = {.reader = {.row = take}, .most = 2};
        struct store_page page = {.after = 1, .through = 5};

        (void)state;
        for (uint64_t place = 6; place >= 1; place--)
                KEEP(accept, place, 10);
        assert_int_equal(rig.ops->load(rig.store, &page, &t.reader), 0);
        assert_true(t.n == 2 && t.seen[0] == 2 && t.seen[1] == 3 && page.last == 3 && page.more);
        page.after = page.last;
        t.most = 8;
        assert_int_equal(rig.ops->load(rig.store, &page, &t.reader), 0);
        assert_true(t.n == 4 && t.seen[3] == 5 && page.last == 5 && !page.more);
}

static void the_last_settings_of_a_project_hold(void **state)
{
        static char first[SHELF_TEXT], second[SHELF_TEXT];
        struct wire_store_setting c = {0};

        (void)state;
        WIRE_SET(&c, store_setting, project, wire_str("p"));
        WIRE_SET(&c, store_setting, settings, wire_str("\x81\xa1l\x01"));
        assert_int_equal(rig.ops->begin(rig.store), 0);
        assert_int_equal(rig.ops->setting(rig.store, &c), 0);
        assert_int_equal(rig.ops->commit(rig.store), 0);
        shelf_describe(rig.store, first);
        assert_non_null(strstr(first, "project p "));
        c.settings = wire_str("\x81\xa1l\x02");
        assert_int_equal(rig.ops->begin(rig.store), 0);
        assert_int_equal(rig.ops->setting(rig.store, &c), 0);
        assert_int_equal(rig.ops->commit(rig.store), 0);
        shelf_describe(rig.store, second);
        assert_string_not_equal(first, second);
        assert_null(strstr(strstr(second, "project p ") + 1, "project"));
}

/* ---- all engines, the same random life ---- */

static int random_change(struct store *s, unsigned int seed)
{
        const struct store_ops *ops = s->ops;
        uint64_t place = 1 + seed % 40, fence = seed / 64 % 6;
        struct wire_store_accept accept = shelf_accept(place, seed % 7 ? 50 : 2000);
        struct wire_store_attempt attempt = shelf_attempt(place, fence + 1);
        struct wire_store_release release = shelf_release(place, fence, seed % 5);
        struct wire_store_end end = shelf_end(place, fence, seed / 512 % 4, seed % 3 ? 0 : seed % 100 + 1);
        unsigned int n;

        switch (seed / 4096 % 8) {
        case 0:
        case 1:
                return ops->accept(s, &accept);
        case 2:
        case 3:
                return ops->attempt(s, &attempt);
        case 4:
                return ops->release(s, &release);
        case 5:
                return ops->end(s, &end);
        case 6:
                return ops->forget(s, place);
        default:
                return ops->expire(s, seed % 100, 1 + seed % 3, &n);
        }
}

static void engines_agree_on_random_lives(void **state)
{
        static char ours[SHELF_TEXT], theirs[SHELF_TEXT];
        struct store *model;
        struct store_config config = shelf_config(rig.path, 1);
        static struct store_info info;
        unsigned int seed = 1;

        (void)state;
        assert_int_equal(store_memory.open(&config, &model, &info), 0);
        for (int batch = 0; batch < 400; batch++) {
                assert_int_equal(rig.ops->begin(rig.store), 0);
                assert_int_equal(store_memory.begin(model), 0);
                for (int i = 0; i < 16; i++) {
                        seed = seed * 1103515245u + 12345u;
                        assert_int_equal(random_change(rig.store, seed >> 8), random_change(model, seed >> 8));
                }
                if (batch % 5) {
                        assert_int_equal(rig.ops->commit(rig.store), 0);
                        assert_int_equal(store_memory.commit(model), 0);
                } else {
                        rig.ops->rollback(rig.store);
                        store_memory.rollback(model);
                }
                shelf_describe(rig.store, ours);
                shelf_describe(model, theirs);
                assert_string_equal(ours, theirs);
        }
        store_memory.close(model);
}

#define ON_ALL(test)                                                                                         \
        {#test " (sqlite)", test, setup, teardown, (void *)&store_sqlite},                                   \
        {                                                                                                    \
                #test " (memory)", test, setup, teardown, (void *)&store_memory                              \
        }

int main(void)
{
        const struct CMUnitTest tests[] = {
                ON_ALL(a_task_goes_its_way),
                ON_ALL(every_change_may_come_twice),
                ON_ALL(a_smaller_token_changes_nothing),
                ON_ALL(an_end_is_recorded_once),
                ON_ALL(a_place_is_one_tasks),
                ON_ALL(a_transaction_rolled_back_leaves_nothing),
                ON_ALL(a_dead_task_keeps_its_payload_and_comes_back),
                ON_ALL(what_waits_or_runs_is_not_forgotten),
                ON_ALL(records_expire_in_steps_the_oldest_first),
                ON_ALL(pages_are_in_order_and_end_where_they_are_told),
                ON_ALL(the_last_settings_of_a_project_hold),
                ON_ALL(engines_agree_on_random_lives),
        };

        return cmocka_run_group_tests_name("store/engines", tests, NULL, NULL);
}
