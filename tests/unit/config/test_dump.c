/* What -T prints loads to the same configuration, for the defaults and for everything set. */
#include "sample.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static char *dump(const struct config *cfg)
{
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        assert_int_equal(config_dump(out, cfg), 0);
        fclose(out);
        return text;
}

static void on_change(void *arg, const struct config_change *change)
{
        (void)arg;
        fail_msg("%s: %s became %s", change->path, change->before, change->after);
}

static void round_trip(const char *text)
{
        struct config first, second;
        struct config_error err;
        char *once, *twice;

        if (load_string(&first, text, &err))
                fail_msg("%s", err.text);
        once = dump(&first);
        if (load_string(&second, once, &err))
                fail_msg("%s", err.text);
        twice = dump(&second);
        assert_string_equal(once, twice);
        assert_int_equal(config_compare(&first, &second, on_change, NULL), 0);
        config_fini(&first);
        config_fini(&second);
        free(once);
        free(twice);
}

static void test_round_trips(void **state)
{
        (void)state;
        round_trip("{}");
        round_trip(DOCUMENTED);
        round_trip(EVERYTHING);
        round_trip("{\"projects\":{\"a\":{\"rateLimit\":\"1/h\"}, \"b\":{\"rateLimit\":\"7/m\"}, \"c\":{\"rateLimit\":1e-9},"
                   "\"d\":{\"rateLimit\":\"1000000000/s\"}, \"e\":{\"rateLimit\":\"0.1/s\"}}}");
}

/* Comparing texts would not see a value that both dumps lose. */
static void test_values_survive(void **state)
{
        struct config first, second;
        struct config_error err;
        char *text;

        (void)state;
        assert_int_equal(load_string(&first, EVERYTHING, &err), 0);
        text = dump(&first);
        assert_int_equal(load_string(&second, text, &err), 0);
        assert_string_equal(first.daemon.socket_path, second.daemon.socket_path);
        assert_true(first.daemon.worker.max_tasks_jitter == second.daemon.worker.max_tasks_jitter);
        assert_int_equal(second.daemon.socket_mode, 0600);
        assert_int_equal(second.n_projects, 3);
        assert_string_equal(second.projects[0].name, "a.b_c-d:e/F9");
        assert_true(second.projects[0].rate_limit == 0.7);
        assert_int_equal(second.projects[0].isolation, CONFIG_ABSENT);
        assert_string_equal(second.projects[1].name, "acme");
        assert_true(second.projects[1].rate_limit == 1.5);
        assert_int_equal(second.projects[1].isolation, CONFIG_ISOLATION_HEAP);
        assert_false(second.task_types[0].enabled);
        assert_int_equal(second.projects[1].env.n, 2);
        assert_string_equal(second.projects[1].env.items[0], "A_1=x=\"y\"");
        assert_string_equal(second.projects[1].env.items[1], "_b=");
        assert_int_equal(second.n_task_types, 7);
        assert_string_equal(second.task_types[1].roots.items[1], "/opt");
        assert_int_equal(second.task_types[2].allow_hosts.n, 6);
        assert_int_equal(second.task_types[3].program.n, 2);
        assert_string_equal(second.task_types[4].plugin, "/usr/lib/resize.so");
        assert_string_equal(second.task_types[5].program.items[0], "/bin/sh");
        free(text);
        config_fini(&first);
        config_fini(&second);
}

/* What an entry cannot have would be refused when the text is loaded. */
static void test_an_entry_shows_its_own_options_only(void **state)
{
        struct config cfg;
        struct config_error err;
        char *text;

        (void)state;
        assert_int_equal(load_string(&cfg, "{\"taskTypes\":{\"execute-module\":{},\"own\":{\"program\":\"/p\"}}}", &err), 0);
        text = dump(&cfg);
        assert_non_null(strstr(text, "\"execute-module\": {\n            \"enabled\": true,\n            \"roots\": []\n        },"
                                     "\n        \"own\": {\n            \"enabled\": true,\n            \"maxTreeMemoryBytes\": 536870912,\n            \"paths\": [],\n"
                                     "            \"program\": [\"/p\"],\n            \"network\": false,\n            \"processes\": 0\n        }"));
        free(text);
        config_fini(&cfg);
}

static void test_form(void **state)
{
        struct config cfg;
        char *text;

        (void)state;
        assert_int_equal(config_defaults(&cfg), 0);
        text = dump(&cfg);
        assert_memory_equal(text, "{\n    \"daemon\": {\n        \"socketMode\": \"0660\",\n", 48);
        assert_null(strstr(text, "socketPath"));
        assert_non_null(strstr(text, "\"workerIdleTimeout\": 60000,\n"));
        assert_non_null(strstr(text, "\"scaleUpThreshold\": 0.8,\n"));
        assert_string_equal(text + strlen(text) - 3, "\n}\n");
        free(text);
        config_fini(&cfg);
}

static void test_full_disk_is_told(void **state)
{
        FILE *full = fopen("/dev/full", "w");
        struct config cfg;

        (void)state;
        assert_non_null(full);
        assert_int_equal(config_defaults(&cfg), 0);
        assert_int_equal(config_dump(full, &cfg), -EIO);
        fclose(full);
        config_fini(&cfg);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trips),
                cmocka_unit_test(test_values_survive),
                cmocka_unit_test(test_an_entry_shows_its_own_options_only),
                cmocka_unit_test(test_form),
                cmocka_unit_test(test_full_disk_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
