/*
 * Questions to the loader, seen by a client of a whole master whose workers and whose loader break the rules: it costs
 * the one who broke them, and every question has an answer.
 */
#include "daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define ONE_WORKER "\"heartbeatInterval\": 1000, \"maxProcesses\": 1, \"startTimeout\": 300, "

static const char *spawner, *loader;
static struct daemon d;

static int setup(void **state)
{
        (void)state;
        daemon_loader = loader;
        daemon_start(&d, spawner, ONE_WORKER);
        return 0;
}

static int setup_without(void **state)
{
        (void)state;
        daemon_loader = NULL;
        daemon_start(&d, spawner, ONE_WORKER);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        daemon_stop(&d);
        return 0;
}

static pid_t run(const char *trick, const char *code, const char *message)
{
        struct bytes record = daemon_run(&d, trick, 5000);

        if (strcmp(text_at(record, "error.code"), code) || !strstr(text_at(record, "error.message"), message))
                fail_msg("%s ended with %s, not %s", trick, text_at(record, "error.code"), code);
        return (pid_t)number_at(record, "attempts.0.pid");
}

static void wait_for_loader(void)
{
        while (strcmp(text_at(daemon_status(&d), "daemon.loader.state"), "ready"))
                usleep(1000);
}

static void test_answers_and_refusals_come_back(void **state)
{
        pid_t first;

        (void)state;
        wait_for_loader();
        first = run("load:ok", "", "");
        for (int i = 0; i < 20; i++) {
                assert_int_equal(run("load:ok", "", ""), first);
                assert_int_equal(run("load:refusal", "LOADER_UNAVAILABLE", ""), first);
        }
        assert_int_equal((int)number_at(daemon_status(&d), "daemon.loader.restarts"), 0);
}

static void test_a_loader_that_breaks_the_rules_is_replaced(void **state)
{
        static const char *const tricks[] = {"load:garbage", "load:other", "load:wrong-kind", "load:die", "load:silent"};
        pid_t worker = run("ok", "", "");

        (void)state;
        for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
                wait_for_loader();
                assert_int_equal(run(tricks[i], "LOADER_UNAVAILABLE", "so it is"), worker);
                wait_for_loader();
                assert_int_equal(run("load:ok", "", ""), worker);
        }
        assert_int_equal(run("load:twice", "", ""), worker);
        while (number_at(daemon_status(&d), "daemon.loader.restarts") < 6)
                usleep(1000);
        assert_int_equal(run("ok", "", ""), worker);
}

static void test_a_question_out_of_order_costs_the_worker(void **state)
{
        pid_t first = run("load-idle", "", ""), second;

        (void)state;
        second = run("load-twice", "WORKER_CRASHED", "not in order");
        assert_int_not_equal(second, first);
        assert_int_not_equal(run("ok", "", ""), second);
        assert_int_equal((int)number_at(daemon_status(&d), "daemon.loader.restarts"), 0);
}

/* The answer to a run that is over is nobody's; the next run's question gets its own. */
static void test_a_late_answer_is_passed_over(void **state)
{
        pid_t worker = run("ok", "", "");

        (void)state;
        wait_for_loader();
        for (int i = 0; i < 5; i++) {
                assert_int_equal(run("load-and-go-on", "", ""), worker);
                assert_int_equal(run("load:ok", "", ""), worker);
        }
}

static void test_without_roots_a_question_is_refused(void **state)
{
        (void)state;
        run("load:ok", "MODULE_NOT_FOUND", "");
        assert_false(is_at(daemon_status(&d), "daemon.loader"));
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
        static const struct CMUnitTest tests[] = {
                T(answers_and_refusals_come_back),
                T(a_loader_that_breaks_the_rules_is_replaced),
                T(a_question_out_of_order_costs_the_worker),
                T(a_late_answer_is_passed_over),
                cmocka_unit_test_setup_teardown(test_without_roots_a_question_is_refused, setup_without, teardown),
        };

        if (argc < 3)
                return 2;
        spawner = argv[1];
        loader = argv[2];
        return cmocka_run_group_tests(tests, NULL, NULL);
}
