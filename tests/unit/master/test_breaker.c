/* Failures in a row: growing pauses, and when everybody is told. */
#include "base/clock.h"
#include "master/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FIRST = 100, MOST = 1000 };

static const int64_t NOW = 7 * NS_PER_S;

static int64_t fail_once(struct breaker *b)
{
        return breaker_fail(b, "why", NOW, FIRST, MOST);
}

static void test_the_pause_doubles_up_to_its_most(void **state)
{
        static const int64_t pauses[] = {100, 200, 400, 800, 1000, 1000};
        struct breaker b = {0};

        (void)state;
        for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
                assert_int_equal(fail_once(&b), pauses[i]);
                assert_true(breaker_holds(&b, NOW + pauses[i] * NS_PER_MS - 1));
                assert_false(breaker_holds(&b, NOW + pauses[i] * NS_PER_MS));
        }
        for (int i = 0; i < 10000; i++)
                assert_int_equal(fail_once(&b), MOST);
}

static void test_it_is_open_from_the_fifth_failure_on(void **state)
{
        struct breaker b = {0};

        (void)state;
        assert_false(breaker_holds(&b, 0));
        for (int i = 1; i <= 7; i++) {
                fail_once(&b);
                assert_int_equal(breaker_is_open(&b), i >= 5);
        }
        assert_string_equal(b.reason, "why");
}

static void test_one_start_closes_it(void **state)
{
        struct breaker b = {0};

        (void)state;
        fail_once(&b);
        assert_false(breaker_close(&b)); /* it was not open */
        for (int i = 0; i < 5; i++)
                fail_once(&b);
        assert_true(breaker_close(&b));
        assert_false(breaker_is_open(&b) || breaker_holds(&b, NOW));
        assert_int_equal(fail_once(&b), FIRST);
}

static void test_trying_again_ends_the_pause_and_forgives_nothing(void **state)
{
        struct breaker b = {0};

        (void)state;
        for (int i = 0; i < 5; i++)
                fail_once(&b);
        breaker_try_again(&b);
        assert_false(breaker_holds(&b, NOW));
        assert_true(breaker_is_open(&b));
        assert_int_equal(fail_once(&b), MOST);
}

static void test_what_is_barred_waits_for_somebody_to_try_again(void **state)
{
        struct breaker b = {0};

        (void)state;
        assert_true(breaker_bar(&b, "treeMemory is absent"));
        assert_false(breaker_bar(&b, "treeMemory is absent")); /* it was already */
        assert_true(b.barred && breaker_is_open(&b));
        assert_true(breaker_holds(&b, INT64_MAX - 1));
        assert_string_equal(b.reason, "treeMemory is absent");
        breaker_try_again(&b);
        assert_false(b.barred || breaker_holds(&b, NOW));
        assert_true(breaker_bar(&b, "treeMemory is absent"));
        breaker_try_again(&b);
        breaker_close(&b);
        assert_false(breaker_is_open(&b));
}

static void test_a_reason_that_is_too_long_is_cut(void **state)
{
        struct breaker b = {0};
        char reason[2000];

        (void)state;
        memset(reason, 'x', sizeof(reason));
        reason[sizeof(reason) - 1] = '\0';
        breaker_fail(&b, reason, NOW, FIRST, MOST);
        assert_int_equal(strlen(b.reason), sizeof(b.reason) - 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_pause_doubles_up_to_its_most),
                cmocka_unit_test(test_it_is_open_from_the_fifth_failure_on),
                cmocka_unit_test(test_one_start_closes_it),
                cmocka_unit_test(test_trying_again_ends_the_pause_and_forgives_nothing),
                cmocka_unit_test(test_what_is_barred_waits_for_somebody_to_try_again),
                cmocka_unit_test(test_a_reason_that_is_too_long_is_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
