/* Attempts that are written ahead: which tasks come next, who may have a claim, and when it is given back. */
#include "master/claims.h"
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS(n) ((n) * NS_PER_MS)

enum { MANY = 50 };

static void test_what_is_ahead_is_what_comes_next(void **state)
{
        struct scheduler_config config = stage_config();
        struct task *ahead[MANY];
        struct stage st;
        struct project *p;

        (void)state;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        stage_seat(&st);
        for (int i = 0; i < MANY; i++)
                stage_submit(&st, p, i % 2);
        stage_settle(&st);
        for (int round = 0; round < MANY / 2 - 5; round++) {
                assert_int_equal(scheduler_ahead(&st.s, MS(4), ahead, MANY), 4);
                for (int i = 0; i < 4; i++)
                        assert_ptr_equal(stage_next(&st, MS(1)), ahead[i]);
                round += 3;
        }
        stage_fini(&st);
}

static void test_nothing_is_ahead_of_tasks_that_run_long(void **state)
{
        struct scheduler_config config = stage_config();
        struct task *ahead[MANY];
        struct stage st;
        struct project *p;

        (void)state;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        stage_seat(&st);
        for (int i = 0; i < MANY; i++)
                stage_submit(&st, p, 0);
        stage_settle(&st);
        assert_int_equal(scheduler_ahead(&st.s, MS(1) / 4, ahead, MANY), 1);
        for (int i = 0; i < MANY / 2; i++)
                stage_next(&st, MS(1000));
        assert_int_equal(scheduler_ahead(&st.s, MS(1), ahead, MANY), 0);
        assert_int_equal(scheduler_ahead(&st.s, MS(100000), ahead, 7), 7);
        stage_fini(&st);
}

static void test_what_may_not_start_is_not_ahead(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct task *ahead[MANY];
        struct stage st;
        struct project *p, *q;

        (void)state;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        q = stage_project(&st, "q");
        stage_seat(&st);
        for (int i = 0; i < 10; i++)
                stage_submit(&st, p, 0);
        stage_settle(&st);
        settings.limit = 3;
        scheduler_project_set(&st.s, p, &settings, st.now);
        assert_int_equal(scheduler_ahead(&st.s, MS(100), ahead, MANY), 2);
        assert_false(scheduler_could_start(&st.s, q, CLASS_JS, st.now)); /* no worker is free */
        stage_seat(&st);
        assert_true(scheduler_could_start(&st.s, q, CLASS_JS, st.now));
        settings.paused = true;
        scheduler_project_set(&st.s, q, &settings, st.now);
        assert_false(scheduler_could_start(&st.s, q, CLASS_JS, st.now));
        scheduler_project_set(&st.s, p, &settings, st.now);
        assert_int_equal(scheduler_ahead(&st.s, MS(100), ahead, MANY), 0);
        stage_fini(&st);
}

static void test_projects_share_what_is_ahead(void **state)
{
        struct scheduler_config config = stage_config();
        struct task *ahead[MANY];
        struct project *p[3];
        struct stage st;
        int of[3] = {0};

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        for (int i = 0; i < 3; i++)
                p[i] = stage_project(&st, (const char *[]){"a", "b", "c"}[i]);
        for (int i = 0; i < 30; i++)
                stage_submit(&st, p[i % 3], 0);
        stage_settle(&st);
        assert_int_equal(scheduler_ahead(&st.s, MS(9), ahead, MANY), 9);
        for (int i = 0; i < 9; i++)
                of[ahead[i]->project == p[0] ? 0 : ahead[i]->project == p[1] ? 1 : 2]++;
        for (int i = 0; i < 3; i++)
                assert_int_equal(of[i], 3);
        stage_fini(&st);
}

/* ---- claims ---- */

static struct task *make(uint16_t max_attempts)
{
        struct task *t = task_new((struct uuid){{1}}, (struct bytes){0});

        assert_non_null(t);
        t->place = 1;
        t->max_attempts = max_attempts;
        return t;
}

static void test_a_last_attempt_is_never_claimed(void **state)
{
        struct task *last = make(1), *two = make(2), *sick = make(9), *forgotten = make(9);
        struct claims c;

        (void)state;
        claims_init(&c);
        sick->quarantined = true;
        forgotten->place = 0; /* nobody keeps it */
        assert_false(claims_add(&c, last, 1));
        assert_false(claims_add(&c, sick, 1));
        assert_false(claims_add(&c, forgotten, 1));
        assert_true(claims_add(&c, two, 1));
        assert_false(claims_add(&c, two, 1));
        assert_int_equal(claims_drop(&c, two), CLAIM_ASKED);
        assert_int_equal(task_attempt_begin(two, 1, 1, 1), 0);
        task_attempt_end(two, WIRE_TASK_ERROR, false, 2);
        assert_false(claims_add(&c, two, 1));
        assert_int_equal(c.ahead.n, 0);
        task_free(last);
        task_free(two);
        task_free(sick);
        task_free(forgotten);
}

/* The claim and the attempt that uses it are one to the store; the next one is another. */
static void test_an_attempt_has_the_fence_of_its_claim(void **state)
{
        struct task *t = make(9);
        struct claims c;
        uint32_t fence;

        (void)state;
        claims_init(&c);
        assert_int_equal(task_attempt_begin(t, 1, 1, 1), 0);
        task_attempt_end(t, WIRE_TASK_ERROR, false, 2);
        fence = t->generation;
        assert_true(claims_add(&c, t, 1));
        assert_int_equal(t->generation, fence + 1);
        claims_kept(&c, t, 2);
        assert_int_equal(task_attempt_begin(t, 1, 1, 1), 0);
        assert_int_equal(t->generation, fence + 1);
        assert_true(claims_begin(&c, t, 3));
        assert_int_equal(c.ahead.n, 0);
        task_attempt_end(t, WIRE_TASK_ERROR, false, 2);
        assert_int_equal(claims_drop(&c, t), CLAIM_BEGUN);
        assert_int_equal(task_attempt_begin(t, 1, 1, 1), 0);
        assert_int_equal(t->generation, fence + 2);
        assert_int_equal(claims_drop(&c, t), CLAIM_NONE);
        task_free(t);
}

static void test_what_is_not_used_is_given_back(void **state)
{
        struct task *tasks[CLAIMS_MAX + 1];
        struct claims c;

        (void)state;
        claims_init(&c);
        assert_int_equal(claims_next(&c), INT64_MAX);
        for (int i = 0; i <= CLAIMS_MAX; i++) {
                tasks[i] = make(3);
                assert_int_equal(claims_add(&c, tasks[i], MS(i)), i < CLAIMS_MAX);
        }
        assert_null(claims_stale(&c, MS(1000) - 1));
        assert_ptr_equal(claims_stale(&c, MS(1000)), tasks[0]);
        claims_drop(&c, tasks[1]); /* from the middle */
        claims_drop(&c, tasks[0]);
        assert_null(claims_stale(&c, MS(1001)));
        assert_int_equal(claims_next(&c), MS(1002));
        for (int i = 2; i < CLAIMS_MAX; i++)
                claims_kept(&c, tasks[i], MS(i));
        for (int i = 2; i < CLAIMS_MAX; i++)
                assert_true(claims_begin(&c, tasks[i], MS(2000 + i)));
        assert_null(claims_lasting(&c, MS(2003)));
        assert_ptr_equal(claims_lasting(&c, MS(2004)), tasks[2]);
        assert_int_equal(c.begun.n, CLAIMS_MAX - 2);
        for (int i = 0; i <= CLAIMS_MAX; i++) {
                claims_drop(&c, tasks[i]);
                task_free(tasks[i]);
        }
        assert_int_equal(c.begun.n, 0);
}

/* The slower the disk, the further it looks. */
static void test_the_horizon_follows_the_commits(void **state)
{
        struct task *t = make(3);
        int64_t before;
        struct claims c;

        (void)state;
        claims_init(&c);
        before = claims_horizon(&c);
        for (int i = 0; i < 100; i++) {
                assert_true(claims_add(&c, t, MS(i)));
                claims_kept(&c, t, MS(i + 20));
                claims_drop(&c, t);
        }
        assert_true(claims_horizon(&c) > 15 * before);
        assert_true(claims_horizon(&c) <= 4 * MS(20));
        task_free(t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_ahead_is_what_comes_next),
                cmocka_unit_test(test_nothing_is_ahead_of_tasks_that_run_long),
                cmocka_unit_test(test_what_may_not_start_is_not_ahead),
                cmocka_unit_test(test_projects_share_what_is_ahead),
                cmocka_unit_test(test_a_last_attempt_is_never_claimed),
                cmocka_unit_test(test_an_attempt_has_the_fence_of_its_claim),
                cmocka_unit_test(test_what_is_not_used_is_given_back),
                cmocka_unit_test(test_the_horizon_follows_the_commits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
