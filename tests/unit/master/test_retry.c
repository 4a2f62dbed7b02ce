/* Retries: which failures come back, when, and when no more. */
#include "base/clock.h"
#include "master/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS(n) ((n) * NS_PER_MS)

static const struct retry_policy steady = {.backoff = 2, .delay_max = 10 * NS_PER_S};

/* A task after this many attempts, of which the last `kills` ended its worker. */
static struct task *after(unsigned attempts, unsigned kills, unsigned max)
{
        struct task *t = task_new((struct uuid){{1}}, (struct bytes){0});

        assert_non_null(t);
        t->max_attempts = (uint16_t)max;
        t->retry_delay = MS(1000);
        for (unsigned i = 0; i < attempts; i++) {
                assert_int_equal(task_attempt_begin(t, 1, 1, 1), 0);
                task_attempt_end(t, WIRE_TASK_ERROR, i + kills >= attempts, 2);
        }
        return t;
}

static struct retry_verdict verdict(struct task *t, enum wire_code code)
{
        struct retry_verdict v = retry_decide(t, code, MS(5), &steady, 42);

        task_free(t);
        return v;
}

static void test_backoff(void **state)
{
        static const int64_t waits[] = {1000, 2000, 4000, 8000, 10000, 10000};

        (void)state;
        for (unsigned i = 0; i < 6; i++) {
                struct retry_verdict v = verdict(after(i + 1, 0, 100), WIRE_TASK_ERROR);

                assert_true(v.again && !v.quarantine);
                assert_int_equal(v.at, MS(5) + MS(waits[i]));
        }
        assert_true(retry_wait(MS(1), 1000, &(struct retry_policy){.backoff = 2}, 1) > 0);
        assert_int_equal(retry_wait(0, 5, &steady, 1), 0);
        assert_int_equal(retry_wait(0, 1000, &(struct retry_policy){.backoff = 100, .delay_max = MS(300)}, 1), 0);
}

static void test_jitter(void **state)
{
        struct retry_policy policy = {.backoff = 1, .delay_max = MS(2000), .jitter = 0.2};
        int64_t low = INT64_MAX, high = 0;

        (void)state;
        for (uint64_t i = 0; i < 1000; i++) {
                int64_t wait = retry_wait(MS(1000), 1, &policy, i * 0x9e3779b97f4a7c15);

                low = wait < low ? wait : low;
                high = wait > high ? wait : high;
        }
        assert_true(low >= MS(800) && low < MS(810));
        assert_true(high <= MS(1200) && high > MS(1190));
        policy.delay_max = MS(1000);
        assert_true(retry_wait(MS(5000), 9, &policy, UINT64_MAX) <= MS(1000));
}

static void test_codes_decide(void **state)
{
        (void)state;
        for (int code = 1; code < WIRE_CODES; code++) {
                struct retry_verdict v = verdict(after(1, 0, 3), code);

                assert_int_equal(v.again, wire_codes[code].retry);
                if (!v.again) {
                        assert_int_equal(v.state, TASK_FAILED);
                        assert_int_equal(v.code, code);
                }
        }
}

static void test_attempts_used_up(void **state)
{
        struct retry_verdict v = verdict(after(3, 0, 3), WIRE_TIMEOUT);

        (void)state;
        assert_false(v.again);
        assert_int_equal(v.state, TASK_DEAD);
        assert_int_equal(v.code, WIRE_TIMEOUT);
        v = verdict(after(1, 0, 1), WIRE_TIMEOUT);
        assert_false(v.again);
        assert_int_equal(v.state, TASK_FAILED);
        assert_int_equal(verdict(after(3, 0, 3), WIRE_SYNTAX_ERROR).state, TASK_FAILED);
}

static void test_cancelled_is_not_retried(void **state)
{
        struct task *t = after(1, 0, 3);
        struct retry_verdict v;

        (void)state;
        t->cancel_asked = true;
        v = verdict(t, WIRE_WORKER_CRASHED);
        assert_false(v.again);
        assert_int_equal(v.state, TASK_CANCELLED);
        assert_int_equal(v.code, WIRE_CANCELLED);
}

static void test_quarantine(void **state)
{
        struct retry_verdict v = verdict(after(2, 2, 10), WIRE_WORKER_CRASHED);
        struct task *t;

        (void)state;
        assert_true(v.again && !v.quarantine);
        v = verdict(after(3, 3, 10), WIRE_WORKER_CRASHED);
        assert_true(v.again && v.quarantine);
        t = after(4, 4, 10);
        t->quarantined = true;
        v = verdict(t, WIRE_WORKER_CRASHED);
        assert_false(v.again);
        assert_int_equal(v.state, TASK_DEAD);
        assert_int_equal(v.code, WIRE_QUARANTINED);
}

static void test_quarantine_when_attempts_are_used_up(void **state)
{
        struct retry_verdict v = verdict(after(3, 3, 3), WIRE_WORKER_CRASHED);
        struct task *t = after(4, 3, 3);

        (void)state;
        assert_true(v.again && v.quarantine);
        t->quarantined = true;
        v = verdict(t, WIRE_TASK_ERROR);
        assert_false(v.again);
        assert_int_equal(v.state, TASK_DEAD);
        t = after(4, 0, 3);
        t->kills = 3;
        t->quarantined = true;
        assert_int_equal(verdict(t, WIRE_TASK_ERROR).code, WIRE_TASK_ERROR);
        assert_int_equal(verdict(after(3, 2, 3), WIRE_WORKER_CRASHED).state, TASK_DEAD);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_backoff),
                cmocka_unit_test(test_jitter),
                cmocka_unit_test(test_codes_decide),
                cmocka_unit_test(test_attempts_used_up),
                cmocka_unit_test(test_cancelled_is_not_retried),
                cmocka_unit_test(test_quarantine),
                cmocka_unit_test(test_quarantine_when_attempts_are_used_up),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
