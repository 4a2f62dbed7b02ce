/*
 * Workers that break the rules, seen by a client of a whole master. Whatever a worker does costs itself and the task that
 * it ran; the supervisor, the other tasks and their records stay as they were.
 */
#include "daemon.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define QUICK_BEATS "\"heartbeatInterval\": 100, "
#define ONE_WORKER QUICK_BEATS "\"maxProcesses\": 1, "
#define START_TRICK(n) QUICK_BEATS "\"maxProcesses\": 1, \"startTimeout\": 100, \"maxCpuTime\": " #n ", "

static const char *spawner;
static struct daemon d;

static int setup(void **state)
{
        (void)state;
        daemon_start(&d, spawner, ONE_WORKER);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        daemon_stop(&d);
        return 0;
}

static void expect_end(struct bytes record, const char *code, const char *message)
{
        if (!*code)
                assert_string_equal(text_at(record, "state"), "succeeded");
        else
                assert_string_not_equal(text_at(record, "state"), "succeeded");
        assert_string_equal(text_at(record, "error.code"), code);
        if (!strstr(text_at(record, "error.message"), message))
                fail_msg("not about \"%s\": %s", message, text_at(record, "error.message"));
}

static void test_what_breaks_the_rules_costs_the_worker(void **state)
{
        static const char *const tricks[] = {"other-run", "both", "unknown-code", "huge", "garbage", "refusal", "client-op",
                "ready-again", "locked", "output-unasked", "bad-logs", "bad-level", "value-31", "data-30"};

        (void)state;
        for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++) {
                expect_end(daemon_run(&d, tricks[i], 0), "WORKER_CRASHED", "not in order");
                expect_end(daemon_run(&d, "ok", 0), "", "");
        }
}

/* Its word counts for itself: others of its class go on, whatever security asks for. */
static void test_what_a_used_worker_says_of_its_layers_bars_nobody_else(void **state)
{
        (void)state;
        for (int i = 0; i < 3; i++) {
                expect_end(daemon_record(&d, daemon_submit_command(&d, "less")), "WORKER_CRASHED", "not in order");
                expect_end(daemon_record(&d, daemon_submit_command(&d, "ok")), "", "");
        }
}

static void test_deepest_value_is_readable(void **state)
{
        (void)state;
        expect_end(daemon_run(&d, "value-30", 0), "", "");
        expect_end(daemon_run(&d, "data-29", 0), "TASK_ERROR", "so it is");
        expect_end(daemon_run(&d, "logs", 0), "", "");
}

/* All are queued before the first one ends: the next task must not be sent to the worker that is being killed. */
static void test_a_condemned_worker_gets_no_further_task(void **state)
{
        uint64_t bad[10], good[10];

        (void)state;
        for (int i = 0; i < 10; i++) {
                bad[i] = daemon_submit(&d, "ok-and-faults", 0);
                good[i] = daemon_submit(&d, "ok", 0);
        }
        for (int i = 0; i < 10; i++) {
                expect_end(daemon_record(&d, bad[i]), "", "");
                expect_end(daemon_record(&d, good[i]), "", "");
        }
}

static void test_who_asks_to_be_replaced_is_and_nothing_is_lost(void **state)
{
        double pid = 0;

        (void)state;
        for (int i = 0; i < 5; i++) {
                uint64_t last = daemon_submit(&d, "retire", 0), next = daemon_submit(&d, "ok", 0);
                double other;

                expect_end(daemon_record(&d, last), "", "");
                expect_end(daemon_record(&d, next), "", "");
                other = number_at(daemon_run(&d, "ok", 0), "attempts.0.pid");
                assert_true(other > 0 && other != pid);
                pid = other;
        }
}

static void test_a_lie_about_cpu_time_spoils_no_sum(void **state)
{
        (void)state;
        for (int i = 0; i < 5; i++) {
                double ms = number_at(daemon_run(&d, "much-cpu", 0), "cpuMs");

                assert_true(ms >= 0 && ms < 60000 * 1024.);
        }
}

static void test_deaths_are_told_apart(void **state)
{
        static const struct {
                const char *trick, *code, *message;
        } rows[] = {
                {"exit", "WORKER_CRASHED", "status 3"},
                {"exit-stuck", "TIMEOUT", "deadline"},
                {"abort", "WORKER_CRASHED", "signal 6 (ABRT)"},
                {"denied", "SYSCALL_DENIED", "system call"},
                {"close", "WORKER_CRASHED", ""},
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                expect_end(daemon_run(&d, rows[i].trick, 0), rows[i].code, rows[i].message);
                expect_end(daemon_run(&d, "ok", 0), "", "");
        }
}

static void test_last_words_count(void **state)
{
        (void)state;
        for (int i = 0; i < 20; i++) {
                struct bytes record = daemon_run(&d, "ok-then-exit", 0);
                pid_t pid = (pid_t)number_at(record, "attempts.0.pid");

                expect_end(record, "", "");
                /* Until it is known to be dead, the next task might be sent to it. */
                while (!kill(pid, 0))
                        usleep(100);
        }
}

static void test_the_backstop_stands_behind_the_deadline(void **state)
{
        (void)state;
        expect_end(daemon_run(&d, "hang", 50), "TIMEOUT", "in time");
        expect_end(daemon_run(&d, "ok", 0), "", "");
}

static bool reply_within(int ms)
{
        struct pollfd p = {.fd = d.client.fd, .events = POLLIN};

        return poll(&p, 1, ms) > 0;
}

/* Asked every few milliseconds, the worker still has one killGrace in all. */
static void test_asking_again_gives_no_more_time(void **state)
{
        uint64_t seq = daemon_submit(&d, "hang", 0);
        struct wire_list everything = {0};
        struct wire_cancel cancel = {0};
        struct bytes page;
        char id[40];

        (void)state;
        do
                page = daemon_call(&d, WIRE_MESSAGE(list), &everything);
        while (strcmp(text_at(page, "tasks.0.state"), "running"));
        strcpy(id, text_at(page, "tasks.0.id"));
        WIRE_SET(&cancel, cancel, id, wire_str(id));
        do
                daemon_send(&d, WIRE_MESSAGE(cancel), &cancel);
        while (!reply_within(20));
        expect_end(daemon_record(&d, seq), "CANCELLED", "");
}

static void test_a_silent_worker_is_replaced(void **state)
{
        (void)state;
        expect_end(daemon_run(&d, "silent", 0), "WORKER_CRASHED", "missed heartbeats");
        expect_end(daemon_run(&d, "ok", 0), "", "");
}

/* Ten times as long as a heartbeat may take. */
static void test_a_long_task_is_not_taken_for_a_silent_one(void **state)
{
        (void)state;
        expect_end(daemon_run(&d, "hang", 1000), "TIMEOUT", "in time");
}

static void test_a_lost_spawner_costs_no_task(void **state)
{
        (void)state;
        for (int i = 0; i < 5; i++) {
                uint64_t seq = daemon_submit(&d, "hang", 100);

                kill((pid_t)number_at(daemon_status(&d), "daemon.spawner.pid"), SIGKILL);
                expect_end(daemon_record(&d, seq), "TIMEOUT", "in time");
                expect_end(daemon_run(&d, "ok", 0), "", "");
        }
        assert_true(number_at(daemon_status(&d), "daemon.spawner.restarts") >= 1);
}

/* ---- many runs on one worker ---- */

static void test_runs_of_one_worker_end_in_any_order(void **state)
{
        uint64_t first = daemon_submit_http(&d, "keep", 0), second = daemon_submit_http(&d, "release", 0);
        struct bytes record = daemon_record(&d, second);
        pid_t pid = (pid_t)number_at(record, "attempts.0.pid");

        (void)state;
        expect_end(record, "", "");
        record = daemon_record(&d, first);
        expect_end(record, "", "");
        assert_int_equal((pid_t)number_at(record, "attempts.0.pid"), pid);
}

static void test_a_cancelled_run_leaves_its_worker_to_the_others(void **state)
{
        uint64_t first = daemon_submit_http(&d, "keep", 0), second = daemon_submit_http(&d, "keep", 0), last;
        struct wire_list running = {0};
        struct wire_cancel cancel = {0};
        struct bytes page, record;
        char id[40];

        (void)state;
        WIRE_SET(&running, list, state, 2);
        do
                page = daemon_call(&d, WIRE_MESSAGE(list), &running);
        while (!*text_at(page, "tasks.1.id"));
        strcpy(id, text_at(page, "tasks.1.id"));
        WIRE_SET(&cancel, cancel, id, wire_str(id));
        daemon_send(&d, WIRE_MESSAGE(cancel), &cancel);
        expect_end(daemon_record(&d, first), "CANCELLED", "");
        last = daemon_submit_http(&d, "release", 0);
        record = daemon_record(&d, last);
        expect_end(record, "", "");
        record = daemon_record(&d, second);
        expect_end(record, "", "");
        assert_true(number_at(daemon_status(&d), "totals.workers") == 1);
}

/* The worker does not end one of its runs in time and has to die for it: the other one is told that it was not its fault. */
static void test_who_dies_for_anothers_sake_is_told_so(void **state)
{
        uint64_t first = daemon_submit_http(&d, "keep", 0), second = daemon_submit_http(&d, "keep", 50);
        struct bytes record;

        (void)state;
        record = daemon_record(&d, first);
        expect_end(record, "WORKER_CRASHED", "another task's sake");
        assert_false(is_at(record, "attempts.0.killedWorker"));
        assert_string_equal(text_at(record, "attempts.0.signal"), "KILL");
        record = daemon_record(&d, second);
        expect_end(record, "TIMEOUT", "in time");
        assert_true(is_at(record, "attempts.0.killedWorker"));
        expect_end(daemon_run(&d, "ok", 0), "", "");
}

static void test_a_worker_may_have_as_much_to_read_as_it_has_runs(void **state)
{
        uint64_t seqs[40];

        (void)state;
        for (int i = 0; i < 40; i++)
                seqs[i] = daemon_submit_data(&d, "nap", 900 * 1024);
        for (int i = 0; i < 40; i++)
                expect_end(daemon_record(&d, seqs[i]), "", "");
}

static void test_how_many_runs_a_worker_takes_is_settled_at_its_start(void **state)
{
        uint64_t first = daemon_submit_http(&d, "keep", 2000), seqs[10];
        pid_t pid;

        (void)state;
        expect_end(daemon_record(&d, daemon_submit_http(&d, "ok", 0)), "", "");
        pid = (pid_t)number_at(daemon_record(&d, daemon_submit_http(&d, "ok", 0)), "attempts.0.pid");
        daemon_reload(&d, ONE_WORKER, "\"http-request\": {\"maxTransfers\": 3}");
        for (int i = 0; i < 10; i++)
                seqs[i] = daemon_submit_http(&d, "ok", 0);
        for (int i = 0; i < 10; i++) {
                struct bytes record = daemon_record(&d, seqs[i]);

                expect_end(record, "", "");
                assert_int_not_equal((pid_t)number_at(record, "attempts.0.pid"), pid);
        }
        expect_end(daemon_record(&d, first), "TIMEOUT", "in time");
}

static void run_ok(int n)
{
        while (n--)
                expect_end(daemon_record(&d, daemon_submit_http(&d, "ok", 0)), "", "");
}

static void wait_for_workers(int n)
{
        while ((int)number_at(daemon_status(&d), "totals.workers") != n)
                usleep(1000);
}

#define ONE_OF_FOUR QUICK_BEATS "\"maxProcesses\": 1, \"maxTasksPerWorker\": 4, \"maxTasksJitter\": 0, "

/* It stands by while the number is raised, and is sent no more than it was made for when its turn comes. */
static void test_a_successor_is_sent_what_it_has_room_for(void **state)
{
        uint64_t first;

        (void)state;
        daemon_start(&d, spawner, ONE_OF_FOUR);
        daemon_reload(&d, ONE_OF_FOUR, "\"http-request\": {\"maxTransfers\": 1}");
        run_ok(2);
        wait_for_workers(2);
        daemon_reload(&d, ONE_OF_FOUR, "\"http-request\": {\"maxTransfers\": 4}");
        run_ok(2);
        first = daemon_submit_http(&d, "keep", 2000);
        expect_end(daemon_record(&d, daemon_submit_http(&d, "release", 0)), "", "");
        expect_end(daemon_record(&d, first), "", "");
        daemon_stop(&d);
}

#define WORN_SOON QUICK_BEATS "\"maxProcesses\": 1, \"maxTasksPerWorker\": 2, \"maxTasksJitter\": 0, "

/* Each has a run that lasts when it has done its share of the others. */
static void test_worn_workers_for_many_do_not_heap_up(void **state)
{
        uint64_t last = 0;

        (void)state;
        daemon_start(&d, spawner, WORN_SOON);
        for (int i = 0; i < 60; i++) {
                last = daemon_submit_http(&d, "keep", 2000);
                run_ok(4);
                usleep(5000);
                assert_in_range(number_at(daemon_status(&d), "totals.workers"), 1, 4);
        }
        daemon_record(&d, last);
        daemon_stop(&d);
}

static void test_far_run_at_is_far(void **state)
{
        struct wire_submit body = {0};

        (void)state;
        WIRE_SET(&body, submit, task, wire_str("\x82\xa4type\xac" "execute-code\xa4" "code\xa2ok"));
        WIRE_SET(&body.options, task_options, run_at, 253402300799999);
        body.has |= 1u << WIRE_AT_submit_options;
        assert_string_not_equal(text_at(daemon_call(&d, WIRE_MESSAGE(submit), &body), "id"), "");
        assert_true(number_at(daemon_status(&d), "totals.delayed") == 1);
}

/* ---- starts ---- */

static void expect_open_breaker(const char *worker, const char *reason)
{
        daemon_start(&d, spawner, worker);
        while (strcmp(text_at(daemon_status(&d), "daemon.breaker.state"), "open"))
                usleep(1000);
        assert_non_null(strstr(text_at(daemon_status(&d), "daemon.breaker.reason"), reason));
        assert_string_equal(text_at(daemon_status(&d), "daemon.breaker.class"), "js");
        assert_string_equal(text_at(daemon_status(&d), "daemon.breaker.classes.js.state"), "open");
        daemon_stop(&d);
}

static void test_starts_that_fail_open_the_breaker(void **state)
{
        (void)state;
        expect_open_breaker(START_TRICK(1), "startTimeout");
        expect_open_breaker(START_TRICK(2), "lock itself down");
        expect_open_breaker(START_TRICK(3), "not in order");
}

static void test_a_worker_says_itself_why_it_cannot_start(void **state)
{
        (void)state;
        expect_open_breaker(START_TRICK(5), "could not load its handler: /plugin.so is writable by ? all");
}

/* One that is ready and dies is followed by the next one only after a pause, of which everybody can see the reason. */
static void test_death_while_waiting_for_work_has_its_pause(void **state)
{
        (void)state;
        daemon_start(&d, spawner, START_TRICK(4));
        while (number_at(daemon_status(&d), "daemon.breaker.failures") < 1)
                usleep(1000);
        daemon_stop(&d);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
        static const struct CMUnitTest tests[] = {
                T(what_breaks_the_rules_costs_the_worker),
                T(what_a_used_worker_says_of_its_layers_bars_nobody_else),
                T(deepest_value_is_readable),
                T(a_condemned_worker_gets_no_further_task),
                T(who_asks_to_be_replaced_is_and_nothing_is_lost),
                T(a_lie_about_cpu_time_spoils_no_sum),
                T(deaths_are_told_apart),
                T(last_words_count),
                T(the_backstop_stands_behind_the_deadline),
                T(asking_again_gives_no_more_time),
                T(a_silent_worker_is_replaced),
                T(a_long_task_is_not_taken_for_a_silent_one),
                T(a_lost_spawner_costs_no_task),
                T(runs_of_one_worker_end_in_any_order),
                T(a_cancelled_run_leaves_its_worker_to_the_others),
                T(who_dies_for_anothers_sake_is_told_so),
                T(a_worker_may_have_as_much_to_read_as_it_has_runs),
                T(how_many_runs_a_worker_takes_is_settled_at_its_start),
                cmocka_unit_test(test_a_successor_is_sent_what_it_has_room_for),
                cmocka_unit_test(test_worn_workers_for_many_do_not_heap_up),
                T(far_run_at_is_far),
                cmocka_unit_test(test_starts_that_fail_open_the_breaker),
                cmocka_unit_test(test_a_worker_says_itself_why_it_cannot_start),
                cmocka_unit_test(test_death_while_waiting_for_work_has_its_pause),
        };

        if (argc < 2)
                return 2;
        spawner = argv[1];
        return cmocka_run_group_tests(tests, NULL, NULL);
}
