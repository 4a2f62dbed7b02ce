/* The scheduler in whole: draining, cancelling, retrying, reviving, explaining, live defaults, memory. */
#include "stage.h"
#include "leave_out.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS(n) ((n) * NS_PER_MS)

static void test_modes(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *first, *second;

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        first = stage_submit(&st, stage_project(&st, "p"), 0);
        second = stage_submit(&st, stage_project(&st, "p"), 0);
        scheduler_set_mode(&st.s, SCHEDULER_DRAINING, st.now);
        stage_settle(&st);
        assert_int_equal(first->state, TASK_RUNNING);
        scheduler_set_mode(&st.s, SCHEDULER_STOPPING, st.now);
        assert_null(stage_next(&st, MS(1)));
        assert_int_equal(second->state, TASK_QUEUED);
        assert_int_equal(scheduler_explain(&st.s, second, st.now).reason, WAIT_STOPPING);
        stage_fini(&st);
}

static void test_cancel(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *running, *queued, *delayed;

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        running = stage_submit(&st, stage_project(&st, "p"), 0);
        queued = stage_submit(&st, stage_project(&st, "p"), 0);
        delayed = stage_task(stage_project(&st, "p"), 0);
        delayed->not_before = st.now + MS(5);
        assert_int_equal(stage_offer(&st, delayed), WIRE_OK);
        stage_settle(&st);
        assert_int_equal(scheduler_cancel(&st.s, running, st.now), CANCEL_RUNNING);
        assert_true(running->cancel_asked);
        assert_int_equal(running->state, TASK_RUNNING);
        assert_int_equal(scheduler_cancel(&st.s, queued, st.now), CANCEL_DONE);
        assert_int_equal(scheduler_cancel(&st.s, delayed, st.now), CANCEL_DONE);
        assert_int_equal(scheduler_cancel(&st.s, delayed, st.now), CANCEL_ENDED);
        assert_int_equal(queued->state, TASK_CANCELLED);
        st.now += MS(10);
        stage_end(&st, stage_seat_of(&st, running), TASK_CANCELLED, MS(10));
        stage_settle(&st);
        assert_int_equal(st.n_started, 1);
        assert_int_equal(st.s.counts.cancelled, 3);
        stage_fini(&st);
}

static void test_crash_and_retry_take_another_seat(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *seat;
        struct task *t;

        (void)state;
        stage_init(&st, &config);
        seat = stage_seat(&st);
        t = stage_submit(&st, stage_project(&st, "p"), 0);
        stage_settle(&st);
        stage_end_retry(&st, seat, st.now, MS(1), true);
        assert_false(stage_of(seat)->live);
        assert_int_equal(t->state, TASK_QUEUED);
        assert_int_equal(scheduler_load(&st.s).seats, 0);
        stage_settle(&st);
        stage_seat(&st);
        stage_settle(&st);
        assert_int_equal(t->state, TASK_RUNNING);
        assert_int_equal(t->generation, 2);
        assert_int_equal(st.s.counts.retried, 1);
        stage_fini(&st);
}

static void test_revive_a_dead_task(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *seat;
        struct wire_refusal why;
        int64_t retry_after;
        struct task *t;

        (void)state;
        stage_init(&st, &config);
        seat = stage_seat(&st);
        t = stage_task(stage_project(&st, "p"), 0);
        t->payload = (struct bytes){(uint8_t *)strdup("x"), 1};
        assert_int_equal(stage_offer(&st, t), WIRE_OK);
        stage_settle(&st);
        assert_int_equal(st.s.counts.bytes, 1);
        assert_true(scheduler_revive(&st.s, t, st.now, &why, &retry_after) > 0);
        assert_int_equal(why.code, WIRE_INVALID_OPTION);
        stage_end(&st, seat, TASK_DEAD, MS(1));
        t->kills = 3;
        t->quarantined = true;
        assert_int_equal(st.s.counts.bytes, 0);
        scheduler_set_mode(&st.s, SCHEDULER_DRAINING, st.now);
        assert_true(scheduler_revive(&st.s, t, st.now, &why, &retry_after) > 0);
        assert_int_equal(why.code, WIRE_SHUTTING_DOWN);
        scheduler_set_mode(&st.s, SCHEDULER_OPEN, st.now);
        assert_int_equal(scheduler_revive(&st.s, t, st.now, &why, &retry_after), 0);
        assert_int_equal(st.s.counts.bytes, 1);
        assert_int_equal(t->kills + t->n_attempts + t->quarantined, 0);
        stage_settle(&st);
        assert_int_equal(t->state, TASK_RUNNING);
        stage_fini(&st);
}

static void test_explain_position(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *t[5];
        struct wait_verdict v;

        (void)state;
        stage_init(&st, &config);
        for (int i = 0; i < 5; i++)
                t[i] = stage_submit(&st, stage_project(&st, "p"), 0);
        stage_settle(&st);
        assert_int_equal(scheduler_explain(&st.s, t[0], st.now).reason, WAIT_SEAT);
        v = scheduler_explain(&st.s, t[4], st.now);
        assert_int_equal(v.reason, WAIT_TURN);
        assert_int_equal(v.position, 4);
        stage_fini(&st);
}

static void test_defaults_change_live(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings own = stage_settings();
        struct stage st;

        (void)state;
        stage_init(&st, &config);
        own.limit = 7;
        scheduler_project_set(&st.s, stage_project(&st, "own"), &own, st.now);
        stage_project(&st, "other");
        config.defaults.limit = 3;
        config.isolation = ISOLATION_PROCESS;
        scheduler_configure(&st.s, &config, st.now);
        assert_int_equal(stage_project(&st, "own")->settings.limit, 7);
        assert_int_equal(stage_project(&st, "other")->settings.limit, 3);
        assert_int_equal(stage_project(&st, "new")->settings.limit, 3);
        stage_fini(&st);
}

static size_t heap_in_use(void)
{
        struct mallinfo2 info = mallinfo2();

        return info.uordblks + info.hblkhd;
}

static void test_memory_of_a_queued_task(void **state)
{
        enum { TASKS = 100000, MOST = 300 };
        struct scheduler_config config = stage_config();
        struct stage st;
        size_t before = heap_in_use(), used;

        (void)state;
        if (!before)
                return leave_out("a sanitizer's or valgrind's allocator does not count this way");
        stage_init(&st, &config);
        for (int i = 0; i < TASKS; i++)
                stage_submit(&st, stage_project(&st, "p"), 0);
        used = heap_in_use() - before;
        print_message("# %zu bytes a task\n", used / TASKS);
        assert_true(used > TASKS * sizeof(struct task));
        /* The shell's map by id takes 16 bytes of the allowance at most, the payload's own allocation another 16. */
        assert_true(used / TASKS <= MOST - 32);
        stage_fini(&st);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_modes),
                cmocka_unit_test(test_cancel),
                cmocka_unit_test(test_crash_and_retry_take_another_seat),
                cmocka_unit_test(test_revive_a_dead_task),
                cmocka_unit_test(test_explain_position),
                cmocka_unit_test(test_defaults_change_live),
                cmocka_unit_test(test_memory_of_a_queued_task),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
