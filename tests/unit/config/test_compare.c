/* A reload: every difference is told with both values, and what needs a restart stays as it was. */
#include "sample.h"

#include "config/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static char told[4096];

static void on_change(void *arg, const struct config_change *c)
{
        size_t len = strlen(told);

        (void)arg;
        snprintf(told + len, sizeof(told) - len, "%s: %s -> %s%s\n", c->path, c->before ? c->before : "none",
                c->after ? c->after : "none", c->needs_restart ? " (restart)" : "");
}

static void load(struct config *cfg, const char *text)
{
        struct config_error err;

        if (load_string(cfg, text, &err))
                fail_msg("%s", err.text);
}

static int compare(const struct config *a, const struct config *b)
{
        told[0] = 0;
        return config_compare(a, b, on_change, NULL);
}

#define BEFORE                                                                                               \
        "{\"daemon\":{\"socketPath\":\"/a\",\"worker\":{\"maxProcesses\":4,\"maxMemoryBytes\":\"64MiB\"}},"  \
        "\"projects\":{\"gone\":{\"weight\":2},\"kept\":{\"isolation\":\"heap\"}}}"
#define AFTER                                                                                                \
        "{\"daemon\":{\"allowUids\":[7],\"worker\":{\"maxProcesses\":8,\"maxMemoryBytes\":\"32MiB\"}},"      \
        "\"projects\":{\"kept\":{\"weight\":5},\"fresh\":{}},\"taskTypes\":{\"execute-code\":{}}}"

static void test_tells_what_changed(void **state)
{
        struct config a, b;

        (void)state;
        load(&a, BEFORE);
        load(&b, AFTER);
        assert_int_equal(compare(&a, &b), 9);
        assert_string_equal(told,
                "daemon.socketPath: \"/a\" -> none (restart)\n"
                "daemon.allowUids: [] -> [7]\n"
                "daemon.worker.maxProcesses: 4 -> 8\n"
                "daemon.worker.maxMemoryBytes: 67108864 -> 33554432 (restart)\n"
                "projects.gone: {\"processLimit\": 0, \"rateLimit\": 0, \"maxQueued\": 0, \"weight\": 2, \"maxPriority\": 10, "
                "\"taskTypes\": [], \"paused\": false, \"env\": {}, \"network\": false} -> none\n"
                "projects.kept.weight: 1 -> 5\n"
                "projects.kept.isolation: \"heap\" -> none\n"
                "projects.fresh: none -> {\"processLimit\": 0, \"rateLimit\": 0, \"maxQueued\": 0, \"weight\": 1, "
                "\"maxPriority\": 10, \"taskTypes\": [], \"paused\": false, \"env\": {}, \"network\": false}\n"
                "taskTypes.execute-code: none -> {\"enabled\": true}\n");
        assert_int_equal(compare(&a, &a), 0);
        assert_string_equal(told, "");
        config_fini(&a);
        config_fini(&b);
}

static void test_fixed_values_are_kept(void **state)
{
        struct config running, next;

        (void)state;
        load(&running, BEFORE);
        load(&next, AFTER);
        assert_int_equal(config_keep_fixed(&next, &running), 0);
        assert_string_equal(next.daemon.socket_path, "/a");
        assert_int_equal(next.daemon.worker.max_memory_bytes, 64 << 20);
        assert_int_equal(next.daemon.worker.max_processes, 8);
        assert_int_equal(next.n_projects, 2);
        compare(&running, &next);
        assert_null(strstr(told, "(restart)"));
        config_fini(&next);

        /* The other way round: what was absent stays absent. */
        config_fini(&running);
        load(&running, AFTER);
        load(&next, BEFORE);
        assert_int_equal(config_keep_fixed(&next, &running), 0);
        assert_null(next.daemon.socket_path);
        config_fini(&running);
        config_fini(&next);
}

static void test_an_environment_is_not_for_logs(void **state)
{
        struct config a, b;

        (void)state;
        load(&a, "{\"projects\":{\"p\":{\"env\":{\"TOKEN\":\"hush\"}},\"gone\":{\"env\":{\"TOKEN\":\"hush\"}}}}");
        load(&b, "{\"projects\":{\"p\":{\"env\":{\"TOKEN\":\"quiet\"}}}}");
        assert_int_equal(compare(&a, &b), 2);
        assert_non_null(strstr(told, "projects.p.env: \"(not shown)\" -> \"(not shown)\"\n"));
        assert_non_null(strstr(told, "projects.gone: {"));
        assert_null(strstr(told, "hush"));
        assert_null(strstr(told, "quiet"));
        config_fini(&a);
        config_fini(&b);
}

static void test_a_handler_that_changes_is_told(void **state)
{
        struct config a, b;

        (void)state;
        load(&a, "{\"taskTypes\":{\"own\":{\"program\":[\"/a\",\"x\"]},\"http-request\":{}}}");
        load(&b, "{\"taskTypes\":{\"own\":{\"plugin\":\"/a.so\"},\"http-request\":{\"allowPorts\":[80]},"
                 "\"more\":{\"program\":\"/m\"}}}");
        assert_int_equal(compare(&a, &b), 4);
        assert_string_equal(told,
                "taskTypes.http-request.allowPorts: [80, 443] -> [80]\n"
                "taskTypes.own.program: [\"/a\", \"x\"] -> none\n"
                "taskTypes.own.plugin: none -> \"/a.so\"\n"
                "taskTypes.more: none -> {\"enabled\": true, \"maxTreeMemoryBytes\": 536870912, \"paths\": [], "
                "\"program\": [\"/m\"], \"network\": false, \"processes\": 0}\n");
        config_fini(&a);
        config_fini(&b);
}

static int count_values(const struct config_section *section)
{
        int n = 0;

        for (size_t i = 0; i < section->n_options; i++) {
                const struct config_option *o = &section->options[i];

                n += o->kind == CONFIG_NEST ? count_values(o->child) : o->kind == CONFIG_VALUE;
        }
        return n;
}

/* EVERYTHING sets each option of the table to another value than its default, but for onFull, which has only one. Its
 * three projects and seven task types are a change each. */
static void test_every_option_is_compared(void **state)
{
        struct config a, b;

        (void)state;
        assert_int_equal(config_defaults(&a), 0);
        load(&b, EVERYTHING);
        assert_int_equal(compare(&a, &b), count_values(config_root_section) - 1 + 3 + 7);
        config_fini(&a);
        config_fini(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tells_what_changed),
                cmocka_unit_test(test_fixed_values_are_kept),
                cmocka_unit_test(test_every_option_is_compared),
                cmocka_unit_test(test_an_environment_is_not_for_logs),
                cmocka_unit_test(test_a_handler_that_changes_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
