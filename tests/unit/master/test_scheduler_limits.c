/* What holds a task back or keeps it out: limits, rates, pauses, delays, deadlines, refusals. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS(n) ((n) * NS_PER_MS)

/* The Node version gave usage back to the wrong project, so that a limit closed for good. */
static void test_limit_opens_again(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct project *a, *b;
        struct stage st;

        (void)state;
        stage_init(&st, &config);
        a = stage_project(&st, "a");
        b = stage_project(&st, "b");
        settings.limit = 1;
        scheduler_project_set(&st.s, a, &settings, st.now);
        stage_seat(&st);
        stage_seat(&st);
        for (int round = 0; round < 50; round++) {
                struct task *ta = stage_submit(&st, a, 0), *other = stage_submit(&st, a, 0),
                            *tb = stage_submit(&st, b, 0);

                stage_settle(&st);
                assert_int_equal(a->running, 1);
                assert_int_equal(b->running, 1);
                stage_end(&st, stage_seat_of(&st, tb), TASK_FAILED, MS(1));
                stage_settle(&st);
                assert_int_equal(a->running, 1); /* b's end gives a nothing */
                assert_int_equal(scheduler_explain(&st.s, other, st.now).reason, WAIT_LIMIT);
                stage_end(&st, stage_seat_of(&st, ta), TASK_SUCCEEDED, MS(1));
                stage_settle(&st);
                stage_end(&st, stage_seat_of(&st, other), TASK_SUCCEEDED, MS(1));
        }
        assert_int_equal(a->running, 0);
        assert_int_equal(a->completed, 100);
        assert_int_equal(b->failed, 50);
        stage_fini(&st);
}

/* The Node version checked the limit at submit only, and threw. */
static void test_limit_queues_by_default(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct project *p;
        struct stage st;

        (void)state;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        settings.limit = 2;
        scheduler_project_set(&st.s, p, &settings, st.now);
        for (int i = 0; i < 4; i++)
                stage_seat(&st);
        for (int i = 0; i < 10; i++)
                stage_submit(&st, p, 0);
        stage_settle(&st);
        assert_int_equal(p->running, 2);
        assert_int_equal(scheduler_load(&st.s).runnable, 0);
        settings.limit = 3;
        scheduler_project_set(&st.s, p, &settings, st.now);
        stage_settle(&st);
        assert_int_equal(p->running, 3);
        settings.limit = 1; /* what runs goes on, nothing new starts */
        scheduler_project_set(&st.s, p, &settings, st.now);
        stage_settle(&st);
        assert_int_equal(p->running, 3);
        settings.limit = 0;
        scheduler_project_set(&st.s, p, &settings, st.now);
        stage_settle(&st);
        assert_int_equal(p->running, 4);
        stage_fini(&st);
}

static void test_pause_and_resume(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct project *p;
        struct stage st;
        struct task *t;

        (void)state;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        settings.paused = true;
        scheduler_project_set(&st.s, p, &settings, st.now);
        stage_seat(&st);
        t = stage_submit(&st, p, 0);
        stage_settle(&st);
        assert_int_equal(scheduler_explain(&st.s, t, st.now).reason, WAIT_PAUSED);
        scheduler_project_set(&st.s, p, NULL, st.now);
        stage_settle(&st);
        assert_int_equal(t->state, TASK_RUNNING);
        assert_int_equal(scheduler_explain(&st.s, t, st.now).reason, WAIT_NOT);
        stage_fini(&st);
}

static void test_rate_wakes_up(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct project *p;
        struct stage st;
        struct task *second;

        (void)state;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        settings.rate = 4;
        scheduler_project_set(&st.s, p, &settings, st.now);
        stage_seat(&st);
        stage_seat(&st);
        stage_submit(&st, p, 0);
        second = stage_submit(&st, p, 0);
        stage_settle(&st);
        assert_int_equal(p->running, 1);
        assert_int_equal(scheduler_explain(&st.s, second, st.now).reason, WAIT_RATE);
        assert_int_equal(scheduler_explain(&st.s, second, st.now).until, st.now + MS(250));
        assert_int_equal(scheduler_next_wake(&st.s), st.now + MS(250));
        st.now += MS(250) - 1;
        stage_settle(&st);
        assert_int_equal(p->running, 1);
        st.now++;
        stage_settle(&st);
        assert_int_equal(p->running, 2);
        assert_int_equal(scheduler_next_wake(&st.s), INT64_MAX);
        stage_fini(&st);
}

/* ---- time ---- */

static void test_delay(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *t;

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        t = stage_task(stage_project(&st, "p"), 0);
        t->not_before = st.now + MS(50);
        assert_int_equal(stage_offer(&st, t), WIRE_OK);
        stage_settle(&st);
        assert_int_equal(t->state, TASK_DELAYED);
        assert_int_equal(scheduler_explain(&st.s, t, st.now).until, t->not_before);
        assert_int_equal(scheduler_next_wake(&st.s), t->not_before);
        st.now = t->not_before - 1;
        stage_settle(&st);
        assert_int_equal(t->state, TASK_DELAYED);
        st.now++;
        stage_settle(&st);
        assert_int_equal(t->state, TASK_RUNNING);
        stage_fini(&st);
}

static void test_start_deadline_is_for_the_first_attempt(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *late, *started;
        struct seat *seat;

        (void)state;
        stage_init(&st, &config);
        seat = stage_seat(&st);
        started = stage_task(stage_project(&st, "p"), 1);
        late = stage_task(stage_project(&st, "p"), 0);
        started->start_deadline = late->start_deadline = st.now + MS(10);
        assert_int_equal(stage_offer(&st, started), WIRE_OK);
        assert_int_equal(stage_offer(&st, late), WIRE_OK);
        stage_settle(&st);
        st.now += MS(20);
        stage_settle(&st);
        assert_int_equal(late->state, TASK_FAILED);
        assert_int_equal(st.n_expired, 1);
        stage_end_retry(&st, seat, st.now + MS(5), MS(20), false);
        assert_int_equal(started->state, TASK_DELAYED);
        st.now += MS(5);
        stage_settle(&st);
        assert_int_equal(started->state, TASK_RUNNING);
        stage_fini(&st);
}

/* ---- refusals ---- */

static enum wire_code refused(struct stage *st, struct project *p, int priority, int64_t *retry_after)
{
        struct wire_refusal why = {0};
        struct task *t = stage_task(p, priority);

        assert_int_equal(scheduler_accept(&st->s, t, st->now, &why, retry_after), 1);
        assert_true(strlen(why.message) > 10);
        assert_int_equal(t->state, TASK_NEW);
        task_free(t);
        return why.code;
}

static void test_queue_full(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        int64_t retry_after;

        (void)state;
        config.max_length = 32;
        stage_init(&st, &config);
        stage_seat(&st);
        for (int i = 0; i < 32; i++)
                stage_submit(&st, stage_project(&st, "p"), 0);
        assert_int_equal(refused(&st, stage_project(&st, "q"), 0, &retry_after), WIRE_QUEUE_FULL);
        assert_true(retry_after > 0);
        stage_settle(&st);
        for (int i = 0; i < 200; i++) {
                stage_submit(&st, stage_project(&st, "p"), 0);
                stage_next(&st, MS(100));
        }
        stage_submit(&st, stage_project(&st, "p"), 0);
        /* A sixteenth of the queue, two tasks, at ten a second. */
        assert_int_equal(refused(&st, stage_project(&st, "q"), 0, &retry_after), WIRE_QUEUE_FULL);
        assert_in_range(retry_after, 195, 205);
        assert_int_equal(st.s.counts.refused, 2);
        assert_int_equal(stage_project(&st, "q")->refused, 2);
        stage_fini(&st);
}

static void test_bytes_are_a_limit_too(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *t;

        (void)state;
        config.max_bytes = 100;
        stage_init(&st, &config);
        t = stage_task(stage_project(&st, "p"), 0);
        t->payload = (struct bytes){calloc(1, 100), 100};
        assert_int_equal(stage_offer(&st, t), WIRE_OK);
        t = stage_task(stage_project(&st, "p"), 0);
        t->payload = (struct bytes){calloc(1, 1), 1};
        assert_int_equal(stage_offer(&st, t), WIRE_QUEUE_FULL);
        task_free(t);
        stage_submit(&st, stage_project(&st, "q"), 0);
        stage_fini(&st);
}

static void test_project_refusals(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct stage st;
        struct project *p;
        int64_t retry_after;

        (void)state;
        config.reject_on_limit = true;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        settings.max_priority = 4;
        settings.limit = 2;
        scheduler_project_set(&st.s, p, &settings, st.now);
        assert_int_equal(refused(&st, p, 5, &retry_after), WIRE_INVALID_OPTION);
        assert_int_equal(retry_after, -1);
        stage_submit(&st, p, 4);
        stage_submit(&st, p, 4);
        assert_int_equal(refused(&st, p, 4, &retry_after), WIRE_PROJECT_LIMIT);
        assert_true(retry_after > 0);
        settings.limit = 0;
        settings.max_queued = 2;
        scheduler_project_set(&st.s, p, &settings, st.now);
        assert_int_equal(refused(&st, p, 0, &retry_after), WIRE_PROJECT_LIMIT);
        settings.max_queued = 0;
        settings.rate = 5;
        scheduler_project_set(&st.s, p, &settings, st.now);
        assert_int_equal(refused(&st, p, 0, &retry_after), WIRE_PROJECT_LIMIT);
        settings.paused = true;
        scheduler_project_set(&st.s, p, &settings, st.now);
        assert_int_equal(refused(&st, p, 0, &retry_after), WIRE_PROJECT_PAUSED);
        scheduler_set_mode(&st.s, SCHEDULER_DRAINING, st.now);
        assert_int_equal(refused(&st, stage_project(&st, "q"), 0, &retry_after), WIRE_SHUTTING_DOWN);
        stage_fini(&st);
}

static void test_project_names_and_forgetting(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct wire_refusal why;
        struct project *p;
        struct stage st;
        char name[32];

        (void)state;
        stage_init(&st, &config);
        assert_int_equal(scheduler_project(&st.s, wire_str("no spaces"), &p, &why), 1);
        assert_int_equal(why.code, WIRE_INVALID_OPTION);
        scheduler_project_set(&st.s, stage_project(&st, "kept"), &settings, st.now);
        stage_submit(&st, stage_project(&st, "used"), 0);
        for (int i = 0; i < 3 * SCHEDULER_FORGETTABLE_MAX; i++) {
                snprintf(name, sizeof(name), "passing-%d", i);
                stage_project(&st, name);
        }
        assert_int_equal(st.s.projects.n_nodes, SCHEDULER_FORGETTABLE_MAX + 2);
        assert_non_null(scheduler_project_find(&st.s, wire_str("kept")));
        assert_non_null(scheduler_project_find(&st.s, wire_str("used")));
        assert_null(scheduler_project_find(&st.s, wire_str("passing-0")));
        stage_fini(&st);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_limit_opens_again),
                cmocka_unit_test(test_limit_queues_by_default),
                cmocka_unit_test(test_pause_and_resume),
                cmocka_unit_test(test_rate_wakes_up),
                cmocka_unit_test(test_delay),
                cmocka_unit_test(test_start_deadline_is_for_the_first_attempt),
                cmocka_unit_test(test_queue_full),
                cmocka_unit_test(test_bytes_are_a_limit_too),
                cmocka_unit_test(test_project_refusals),
                cmocka_unit_test(test_project_names_and_forgetting),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
