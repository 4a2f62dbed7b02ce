/* What workers of handlers measure, taken in by the rules and shown. */
#include "master/metrics.h"
#include "wire/cursor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct metrics metrics;
static struct wire_refusal why;

static int tear_down(void **state)
{
        (void)state;
        metrics_fini(&metrics);
        return 0;
}

static int take(unsigned int handler, const char *name, enum metric_kind kind, double value, const char *help)
{
        struct wire_worker_metric note = {0};

        WIRE_SET(&note, worker_metric, name, wire_str(name));
        WIRE_SET(&note, worker_metric, kind, (uint64_t)kind);
        WIRE_SET(&note, worker_metric, value, value);
        if (help)
                WIRE_SET(&note, worker_metric, help, wire_str(help));
        return metrics_take(&metrics, handler, &note, &why);
}

static const struct metric *only_one(unsigned int handler)
{
        assert_int_equal(metrics.sets[handler].n, 1);
        return &metrics.sets[handler].items[0];
}

static void each_kind_counts_in_its_way(void **state)
{
        (void)state;
        for (int i = 1; i <= 10; i++) {
                assert_int_equal(take(0, "n", METRIC_COUNTER, i, NULL), 0);
                assert_int_equal(take(1, "n", METRIC_GAUGE, -i, NULL), 0);
                assert_int_equal(take(2, "n", METRIC_HISTOGRAM, i, NULL), 0);
        }
        assert_true(only_one(0)->value == 55);
        assert_true(only_one(1)->value == -10);
        assert_int_equal(only_one(2)->histogram->count, 10);
        assert_true(only_one(2)->histogram->sum == 55);
}

static void what_is_no_name_or_value_is_refused(void **state)
{
        static const char *const names[] = {"", "1st", "a-b", "a b", "\xc3\xa4", "a\n",
                "x2345678901234567890123456789012345678901234567890123456789012345"};
        static const double values[] = {NAN, INFINITY, -INFINITY};

        (void)state;
        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                assert_int_equal(take(0, names[i], METRIC_GAUGE, 1, NULL), 1);
        for (int kind = METRIC_COUNTER; kind <= METRIC_HISTOGRAM; kind++)
                for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
                        assert_int_equal(take(0, "n", (enum metric_kind)kind, values[i], NULL), 1);
        assert_int_equal(take(0, "n", METRIC_COUNTER, -1, NULL), 1);
        assert_int_equal(take(0, "n", METRIC_GAUGE, 1, "bad \xff text"), 1);
        assert_int_equal(take(0, "n", METRIC_GAUGE, 1, "two\nlines"), 1);
        assert_int_equal(metrics.sets[0].n, 0);
}

static void a_name_keeps_its_kind_and_its_first_help_text(void **state)
{
        (void)state;
        assert_int_equal(take(3, "n", METRIC_GAUGE, 1, NULL), 0);
        assert_int_equal(take(3, "n", METRIC_GAUGE, 1, "first"), 0);
        assert_int_equal(take(3, "n", METRIC_GAUGE, 1, "second"), 0);
        assert_int_equal(take(3, "n", METRIC_COUNTER, 1, NULL), 1);
        assert_string_equal(why.message, "metric n is a gauge");
        assert_string_equal(only_one(3)->help, "first");
        assert_int_equal(take(4, "n", METRIC_COUNTER, 1, NULL), 0); /* another handler's */
        metrics_forget(&metrics, 3);
        assert_int_equal(take(3, "n", METRIC_COUNTER, 1, NULL), 0);
}

static void names_are_bounded(void **state)
{
        char name[16];

        (void)state;
        for (int i = 0; i < METRICS_MAX; i++) {
                snprintf(name, sizeof(name), "n%d", i);
                assert_int_equal(take(31, name, METRIC_COUNTER, 1, NULL), 0);
        }
        assert_int_equal(take(31, "one_more", METRIC_COUNTER, 1, NULL), 1);
        assert_int_equal(take(31, "n63", METRIC_COUNTER, 1, NULL), 0);
}

static void no_sum_becomes_infinite(void **state)
{
        (void)state;
        for (int i = 0; i < 4; i++)
                assert_int_equal(take(0, "n", METRIC_COUNTER, 1.7e308, NULL), 0);
        assert_true(isfinite(only_one(0)->value));
}

static void they_are_shown_by_name(void **state)
{
        struct bytes item, word;
        struct buf out;
        struct pack p;

        (void)state;
        assert_int_equal(take(0, "jobs", METRIC_COUNTER, 2, "Jobs."), 0);
        assert_int_equal(take(0, "time", METRIC_HISTOGRAM, 1.5, NULL), 0);
        buf_init(&out, 0);
        pack_init(&p, &out);
        metrics_write(&p, &metrics.sets[0]);
        assert_int_equal(p.error, 0);
        assert_int_equal(wire_check(buf_bytes(&out)), 0);
        assert_true(wire_lookup(buf_bytes(&out), "jobs", &item));
        assert_true(wire_lookup_str(item, "kind", &word) && wire_str_is(word, "counter"));
        assert_true(wire_lookup_str(item, "help", &word) && wire_str_is(word, "Jobs."));
        assert_true(wire_lookup(item, "value", &word));
        assert_true(wire_lookup(buf_bytes(&out), "time", &item));
        for (const char *const *key = (const char *const[]){"count", "sum", "min", "max", "p50", "p90", "p99", NULL}; *key; key++)
                assert_true(wire_lookup(item, *key, &word));
        assert_false(wire_lookup(item, "help", &word));
        buf_fini(&out);
}

int main(void)
{
#define T(test) cmocka_unit_test_teardown(test, tear_down)
        const struct CMUnitTest tests[] = {
                T(each_kind_counts_in_its_way),
                T(what_is_no_name_or_value_is_refused),
                T(a_name_keeps_its_kind_and_its_first_help_text),
                T(names_are_bounded),
                T(no_sum_becomes_infinite),
                T(they_are_shown_by_name),
        };

        return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
