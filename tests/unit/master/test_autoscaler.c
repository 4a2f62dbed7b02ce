/* The autoscaler, step by step, as an operator reads it in the log. */
#include "base/clock.h"
#include "master/autoscaler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SEC(n) ((n) * NS_PER_S)

static const struct autoscaler_config usual = {
        .enabled = true,
        .min = 1,
        .max = 16,
        .up_threshold = 0.8,
        .down_threshold = 0.2,
        .check_interval = SEC(10),
        .down_cooldown = SEC(30),
        .idle_timeout = SEC(60),
};

static struct autoscaler fresh(const struct autoscaler_config *config)
{
        struct autoscaler a;

        autoscaler_init(&a, config, 0);
        return a;
}

static struct autoscaler_step decide(struct autoscaler *a, struct autoscaler_input in)
{
        return autoscaler_decide(a, &in);
}

static void assert_grows(struct autoscaler *a, struct autoscaler_input in, uint32_t count)
{
        struct autoscaler_step step = autoscaler_decide(a, &in);

        assert_int_equal(step.verb, AUTOSCALE_GROW);
        assert_int_equal(step.count, count);
        assert_non_null(step.reason);
}

static void assert_rests(struct autoscaler *a, struct autoscaler_input in)
{
        assert_int_equal(autoscaler_decide(a, &in).verb, AUTOSCALE_NOTHING);
}

static void test_min_at_once(void **state)
{
        struct autoscaler_config config = usual;
        struct autoscaler a;

        (void)state;
        config.min = 5;
        a = fresh(&config);
        assert_grows(&a, (struct autoscaler_input){.now = 1}, 5);
        assert_grows(&a, (struct autoscaler_input){.now = 2, .alive = 3, .busy = 3}, 2);
        assert_rests(&a, (struct autoscaler_input){.now = 3, .alive = 5, .starting = 5});
}

static void test_doubling_steps(void **state)
{
        struct autoscaler a = fresh(&usual);

        (void)state;
        assert_grows(&a, (struct autoscaler_input){.now = 1, .alive = 1, .busy = 1, .runnable = 100}, 1);
        /* The next step waits for the last one's workers. */
        assert_rests(&a,
                (struct autoscaler_input){.now = 2, .alive = 2, .busy = 1, .starting = 1, .runnable = 100});
        assert_grows(&a, (struct autoscaler_input){.now = 3, .alive = 2, .busy = 2, .runnable = 99}, 2);
        assert_grows(&a, (struct autoscaler_input){.now = 4, .alive = 4, .busy = 4, .runnable = 97}, 4);
        /* Satisfied: small steps again. */
        assert_rests(&a, (struct autoscaler_input){.now = 5, .alive = 8, .busy = 8});
        assert_grows(&a, (struct autoscaler_input){.now = 6, .alive = 8, .busy = 8, .runnable = 97}, 1);
}

static void test_grows_no_more_than_wait(void **state)
{
        struct autoscaler a = fresh(&usual);

        (void)state;
        assert_grows(&a, (struct autoscaler_input){.now = 1, .alive = 1, .busy = 1, .runnable = 3}, 1);
        assert_grows(&a, (struct autoscaler_input){.now = 2, .alive = 2, .busy = 2, .runnable = 1}, 1);
        assert_rests(
                &a, (struct autoscaler_input){.now = 3, .alive = 3, .busy = 2, .starting = 1, .runnable = 1});
}

static void test_hanging_start_does_not_stop_growth(void **state)
{
        struct autoscaler a = fresh(&usual);
        struct autoscaler_input in = {.now = 1, .alive = 1, .busy = 1, .runnable = 9};

        (void)state;
        assert_grows(&a, in, 1);
        in = (struct autoscaler_input){.now = 2, .alive = 2, .busy = 1, .starting = 1, .runnable = 9};
        assert_rests(&a, in);
        in.now = autoscaler_next_wake(&a, &in);
        assert_true(in.now <= SEC(1));
        assert_grows(&a, in, 2);
}

static void test_ceiling_is_told_once(void **state)
{
        struct autoscaler a = fresh(&usual);
        struct autoscaler_input full = {.now = 1, .alive = 16, .busy = 16, .runnable = 5};

        (void)state;
        assert_true(autoscaler_decide(&a, &full).at_ceiling);
        assert_false(autoscaler_decide(&a, &full).at_ceiling);
        assert_rests(&a, (struct autoscaler_input){.now = 2, .alive = 16, .busy = 16});
        assert_true(autoscaler_decide(&a, &full).at_ceiling);
}

/* The Node version's load was capped at 1, so it never grew. */
static void test_load_is_not_capped(void **state)
{
        struct autoscaler_config config = usual;
        struct autoscaler a;

        (void)state;
        config.up_threshold = 3;
        a = fresh(&config);
        assert_rests(&a, (struct autoscaler_input){.now = SEC(11), .alive = 2, .busy = 2});
        config.up_threshold = 0.8;
        a = fresh(&config);
        assert_rests(&a, (struct autoscaler_input){.now = SEC(9), .alive = 2, .busy = 2});
        assert_grows(&a, (struct autoscaler_input){.now = SEC(10), .alive = 2, .busy = 2}, 1);
        assert_rests(&a, (struct autoscaler_input){.now = SEC(11), .alive = 2, .busy = 2});
}

static void test_shrinks_one_by_one(void **state)
{
        struct autoscaler a = fresh(&usual);
        struct autoscaler_input in = {.now = SEC(100), .alive = 3, .idle = 3, .oldest_idle_since = SEC(50)};

        (void)state;
        assert_rests(&a, in);
        assert_int_equal(autoscaler_next_wake(&a, &in), SEC(110));
        in.now = SEC(110);
        assert_int_equal(autoscaler_decide(&a, &in).verb, AUTOSCALE_RETIRE);
        in.alive = in.idle = 2;
        in.oldest_idle_since = SEC(70);
        assert_rests(&a, in);
        in.now = SEC(130);
        assert_int_equal(autoscaler_decide(&a, &in).verb, AUTOSCALE_RETIRE);
        in.alive = in.idle = 1;
        in.now = SEC(1000);
        assert_rests(&a, in);
}

static void test_cooldown_after_growth(void **state)
{
        struct autoscaler_config config = usual;
        struct autoscaler a;
        struct autoscaler_input in = {.now = SEC(110), .alive = 3, .idle = 3};

        (void)state;
        config.idle_timeout = SEC(1);
        a = fresh(&config);
        assert_grows(&a, (struct autoscaler_input){.now = SEC(100), .alive = 2, .busy = 2, .runnable = 1}, 1);
        assert_rests(&a, in);
        in.now = SEC(130) - 1;
        assert_rests(&a, in);
        assert_int_equal(autoscaler_next_wake(&a, &in), SEC(130));
        in.now = SEC(130);
        assert_int_equal(decide(&a, in).verb, AUTOSCALE_RETIRE);
}

static void test_busy_pool_does_not_shrink(void **state)
{
        struct autoscaler a = fresh(&usual);

        (void)state;
        assert_rests(&a, (struct autoscaler_input){.now = SEC(99), .alive = 16, .busy = 4, .idle = 12});
        assert_rests(&a,
                (struct autoscaler_input){
                        .now = SEC(99), .alive = 16, .busy = 1, .idle = 15, .runnable = 1, .starting = 1});
}

static void test_dead_workers_are_replaced_without_steps(void **state)
{
        struct autoscaler a = fresh(&usual);

        (void)state;
        assert_rests(&a, (struct autoscaler_input){.now = 1, .alive = 12, .busy = 12});
        assert_grows(&a, (struct autoscaler_input){.now = 2, .alive = 6, .busy = 6, .runnable = 50}, 6);
}

static void test_limits_change_live(void **state)
{
        struct autoscaler_config config = usual;
        struct autoscaler a = fresh(&config);
        struct autoscaler_step step;

        (void)state;
        config.max = 2;
        autoscaler_configure(&a, &config);
        step = decide(&a, (struct autoscaler_input){.now = 1, .alive = 4, .busy = 4, .runnable = 3});
        assert_int_equal(step.verb, AUTOSCALE_RETIRE);
        assert_true(step.busy_too);
        config.min = config.max = 8;
        autoscaler_configure(&a, &config);
        assert_grows(&a, (struct autoscaler_input){.now = 2, .alive = 4, .busy = 4}, 4);
}

static void test_without_autoscale_the_pool_is_full(void **state)
{
        struct autoscaler_config config = usual;
        struct autoscaler a;

        (void)state;
        config.enabled = false;
        a = fresh(&config);
        assert_grows(&a, (struct autoscaler_input){.now = 1}, 16);
        assert_rests(&a, (struct autoscaler_input){.now = SEC(999), .alive = 16, .idle = 16});
}

static void test_min_zero(void **state)
{
        struct autoscaler_config config = usual;
        struct autoscaler a;

        (void)state;
        config.min = 0;
        a = fresh(&config);
        assert_rests(&a, (struct autoscaler_input){.now = 1});
        assert_grows(&a, (struct autoscaler_input){.now = 2, .runnable = 1}, 1);
        assert_int_equal(decide(&a, (struct autoscaler_input){.now = SEC(99), .alive = 1, .idle = 1}).verb,
                AUTOSCALE_RETIRE);
        assert_rests(&a, (struct autoscaler_input){.now = SEC(99)});
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_min_at_once),
                cmocka_unit_test(test_doubling_steps),
                cmocka_unit_test(test_grows_no_more_than_wait),
                cmocka_unit_test(test_hanging_start_does_not_stop_growth),
                cmocka_unit_test(test_ceiling_is_told_once),
                cmocka_unit_test(test_load_is_not_capped),
                cmocka_unit_test(test_shrinks_one_by_one),
                cmocka_unit_test(test_cooldown_after_growth),
                cmocka_unit_test(test_busy_pool_does_not_shrink),
                cmocka_unit_test(test_dead_workers_are_replaced_without_steps),
                cmocka_unit_test(test_limits_change_live),
                cmocka_unit_test(test_without_autoscale_the_pool_is_full),
                cmocka_unit_test(test_min_zero),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
