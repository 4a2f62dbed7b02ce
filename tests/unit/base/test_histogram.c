/* What a histogram of constant size remembers of many numbers. */
#include "base/histogram.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

static bool near(double a, double b)
{
        return fabs(a - b) <= fabs(b) / 30;
}

static int by_size(const void *a, const void *b)
{
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static void quantiles_are_near_the_true_ones(void **state)
{
        static const double parts[] = {0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
        enum { N = 100000 };
        static double numbers[N];
        struct histogram h = {0};

        (void)state;
        srand48(7);
        for (int i = 0; i < N; i++) {
                numbers[i] = exp(drand48() * 40 - 20); /* 2e-9 to 5e8 */
                histogram_add(&h, numbers[i]);
        }
        qsort(numbers, N, sizeof(double), by_size);
        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                assert_true(near(histogram_quantile(&h, parts[i]), numbers[(int)(parts[i] * N) - 1]));
}

static void count_sum_least_and_most_are_exact(void **state)
{
        static const double numbers[] = {3, -1.5, 0, 1e300, 1e-300, 7};
        struct histogram h = {0};

        (void)state;
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
                histogram_add(&h, numbers[i]);
        assert_int_equal(h.count, 6);
        assert_true(h.least == -1.5 && h.most == 1e300 && h.sum == 3 - 1.5 + 1e300 + 7);
}

static void each_number_lies_within_its_buckets_bounds(void **state)
{
        (void)state;
        for (unsigned int i = 1; i < HISTOGRAM_BUCKETS - 1; i++) {
                struct histogram h = {0};
                double bound = histogram_bound(i);

                assert_true(bound > histogram_bound(i - 1));
                histogram_add(&h, nextafter(bound, 0));
                assert_int_equal(h.buckets[i], 1);
                histogram_add(&h, bound);
                assert_int_equal(h.buckets[i + 1], 1);
        }
        assert_true(isinf(histogram_bound(HISTOGRAM_BUCKETS - 1)));
}

static void one_number_is_every_quantile(void **state)
{
        static const double numbers[] = {5, 0, -3, 1e-30, 1e30, 1024};

        (void)state;
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                struct histogram h = {0};

                histogram_add(&h, numbers[i]);
                assert_true(histogram_quantile(&h, 0) == numbers[i] && histogram_quantile(&h, 0.5) == numbers[i] &&
                        histogram_quantile(&h, 1) == numbers[i]);
        }
}

static void nothing_has_no_quantile(void **state)
{
        struct histogram h = {0};

        (void)state;
        assert_true(histogram_quantile(&h, 0.5) == 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(quantiles_are_near_the_true_ones),
                cmocka_unit_test(count_sum_least_and_most_are_exact),
                cmocka_unit_test(each_number_lies_within_its_buckets_bounds),
                cmocka_unit_test(one_number_is_every_quantile),
                cmocka_unit_test(nothing_has_no_quantile),
        };

        return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
