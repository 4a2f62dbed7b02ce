/* The hint for a mistyped word: right where a person would say so, silent where they would not. */
#include "base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *among(const char *word, const char *const *known)
{
        struct nearest n;

        nearest_init(&n, word);
        for (; *known; known++)
                nearest_offer(&n, *known);
        return n.best;
}

static const char *const keys[] = {"minProcesses", "maxProcesses", "autoScale", "maxTasksPerWorker", "workerIdleTimeout", NULL};
static const char *const commands[] = {"run", "call", "submit", "wait", "result", "cancel", "list", "stats", "daemon", NULL};

static void test_hints(void **state)
{
        (void)state;
        assert_string_equal(among("maxProcesess", keys), "maxProcesses");
        assert_string_equal(among("minprocesses", keys), "minProcesses");
        assert_string_equal(among("autoscale", keys), "autoScale");
        assert_string_equal(among("max_processes", keys), "maxProcesses");
        assert_string_equal(among("idleTimeout", keys), "workerIdleTimeout");
        assert_string_equal(among("sumbit", commands), "submit");
        assert_string_equal(among("lst", commands), "list");
        assert_string_equal(among("status", commands), "stats");
        assert_string_equal(among("rnu", commands), "run");
}

static void test_silence(void **state)
{
        static const char *const one[] = {"a", NULL};
        char huge[500];

        (void)state;
        memset(huge, 'x', sizeof(huge) - 1);
        huge[sizeof(huge) - 1] = 0;
        assert_null(among("elephant", keys));
        assert_null(among("", commands));
        assert_null(among("b", one));
        assert_null(among(huge, keys));
        assert_null(among("xyz", commands));
}

static void test_counts(void **state)
{
        struct nearest n;

        (void)state;
        nearest_init(&n, "abcdefghi");
        nearest_offer(&n, "abdcefghi");
        assert_int_equal(n.distance, 1);
        nearest_init(&n, "abcdefghi");
        nearest_offer(&n, "bacdefgh");
        assert_int_equal(n.distance, 2);
        nearest_init(&n, "ABCDEFGHI");
        nearest_offer(&n, "abcdefghi");
        assert_int_equal(n.distance, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hints),
                cmocka_unit_test(test_silence),
                cmocka_unit_test(test_counts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
