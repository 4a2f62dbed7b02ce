/* Commands about tasks that were submitted, projects and the supervisor. */
#include "run_poppo.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- tasks ---- */

static void test_wait_for_several(void **state)
{
        (void)state;
        SERVE(fake, {"wait", "{\"result\":{\"state\":\"succeeded\",\"value\":5}}"});
        check(RUN("wait", "x"), 0, "5\n", "");
        check(RUN("wait", "x", "y"), 0, "5\n5\n", "");
        check_requests(&fake, "{\"op\":\"wait\",\"id\":\"x\"}\n{\"op\":\"wait\",\"id\":\"x\"}\n{\"op\":\"wait\",\"id\":\"y\"}\n");
        finish(&fake);
}

static void test_wait_for_unknown_ones(void **state)
{
        (void)state;
        SERVE(fake, {"wait", "{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"no such task\"}}"});
        check(RUN("wait", "x", "y"), 1, "\n\n",
                "poppo: NOT_FOUND: x: no such task\n       poppo list shows the tasks that are known\n"
                "poppo: NOT_FOUND: y: no such task\n       poppo list shows the tasks that are known\n");
        finish(&fake);
}

static void test_result_of_a_running_task(void **state)
{
        (void)state;
        SERVE(fake, {"result", "{\"result\":{\"state\":\"running\"}}"});
        check(RUN("result", "x"), 75, "", "poppo: the task is running\n       poppo wait waits for its end\n");
        check(RUN("result", "x", "--json"), 0, "{\"state\":\"running\"}\n", "");
        finish(&fake);
}

static void test_cancel_prints_the_state(void **state)
{
        (void)state;
        SERVE(fake, {"cancel", "{\"state\":\"cancelled\"}"});
        check(RUN("cancel", "x", "y"), 0, "cancelled\ncancelled\n", "");
        finish(&fake);
}

static void test_list_is_a_table(void **state)
{
        (void)state;
        SERVE(fake, {"list", "{\"tasks\":[{\"id\":\"abc\",\"type\":\"execute-code\",\"projectId\":\"web\",\"priority\":3,"
                "\"state\":\"failed\",\"attempts\":2,\"createdAt\":99999999999999,\"code\":\"TIMEOUT\"}],\"more\":true}"});
        check(RUN("list", "--state", "failed", "-p", "web", "-n", "5", "--before", "zz"), 0,
                "ID   STATE   TYPE          PROJECT  PRI  ATTEMPTS  AGE  CODE\n"
                "abc  failed  execute-code  web        3         2   0s  TIMEOUT\n",
                "there are older ones: --before with the last id shows them\n");
        check_requests(&fake,
                "{\"op\":\"list\",\"state\":\"failed\",\"projectId\":\"web\",\"before\":\"zz\",\"limit\":5}\n");
        finish(&fake);
}

static void test_retry_prints_the_state(void **state)
{
        (void)state;
        SERVE(fake, {"retry", "{\"id\":\"x\",\"state\":\"queued\"}"});
        check(RUN("retry", "x", "y"), 0, "queued\nqueued\n", "");
        check_requests(&fake, "{\"op\":\"retry\",\"id\":\"x\"}\n{\"op\":\"retry\",\"id\":\"y\"}\n");
        finish(&fake);
}

#define WHY                                                                                                  \
        "{\"reason\":\"ended\",\"message\":\"dead at attempt 2\",\"result\":{\"attempts\":["                  \
        "{\"worker\":3,\"pid\":77,\"outcome\":\"WORKER_CRASHED\",\"signal\":\"KILL\"},"                     \
        "{\"worker\":4,\"pid\":7,\"outcome\":\"TASK_ERROR\"}]}}"

static void test_why_gives_the_verdict_and_the_ledger(void **state)
{
        (void)state;
        SERVE(fake, {"why", WHY});
        check(RUN("why", "x"), 0,
                "dead at attempt 2\n"
                "ATTEMPT  WORKER  PID  OUTCOME         SIGNAL\n"
                "      1       3   77  WORKER_CRASHED  KILL\n"
                "      2       4    7  TASK_ERROR\n", "");
        check(RUN("why", "x", "--json"), 0, WHY "\n", "");
        check_requests(&fake, "{\"op\":\"why\",\"id\":\"x\"}\n{\"op\":\"why\",\"id\":\"x\"}\n");
        finish(&fake);
}

static void test_why_of_a_waiting_task(void **state)
{
        (void)state;
        SERVE(fake, {"why", "{\"reason\":\"paused\",\"message\":\"project p is paused\",\"result\":{\"attempts\":[]}}"});
        check(RUN("why", "x"), 0, "project p is paused\n", "");
        finish(&fake);
}

/* ---- the pool ---- */

static void test_stats(void **state)
{
        (void)state;
        SERVE(fake, {"stats", "{\"workers\":{},\"totals\":{\"workers\":4,\"avgTime\":1.5},\"load\":0.25,\"uptime\":1000}"});
        check(RUN("stats"), 0, "workers     4\navgTime  1.50\nload     0.25\nuptime   1000\n", "");
        check(RUN("stats", "--json"), 0,
                "{\"workers\":{},\"totals\":{\"workers\":4,\"avgTime\":1.5},\"load\":0.25,\"uptime\":1000}\n", "");
        finish(&fake);
}

static void test_stats_have_what_handlers_measure(void **state)
{
        (void)state;
        SERVE(fake, {"stats", "{\"totals\":{},\"load\":0,\"uptime\":1,\"metrics\":{\"resize\":{\"frames\":{\"kind\":\"counter\","
                "\"value\":7},\"ms\":{\"kind\":\"histogram\",\"count\":2,\"sum\":3.5,\"min\":1,\"max\":2.5}}}}"});
        check(RUN("stats"), 0,
                "load                0\nuptime              1\nresize.frames       7\nresize.ms.count     2\n"
                "resize.ms.sum    3.50\nresize.ms.min       1\nresize.ms.max    2.50\n", "");
        finish(&fake);
}

#define STATUS                                                                                               \
        "{\"daemon\":{\"version\":\"0.1.0\",\"pid\":7,\"state\":\"running\",\"socket\":\"/s\",\"uptime\":65000,"        \
        "\"spawner\":{\"pid\":8,\"state\":\"ready\"},\"breaker\":{\"state\":\"open\",\"class\":\"js\",\"classes\":{\"js\":{\"state\":\"open\",\"failures\":5,\"reason\":\"5 crashes\"},"   \
        "\"own\":{\"state\":\"closed\",\"failures\":1,\"reason\":\"once\"}}}},"       \
        "\"workers\":{\"1\":{\"pid\":9,\"class\":\"js\",\"state\":\"busy\",\"projectId\":\"a\",\"tasks\":3,\"running\":1},"  \
        "\"2\":{\"class\":\"program\",\"type\":\"resize\",\"state\":\"idle\",\"tasks\":3,\"running\":0},"                       \
        "\"3\":{\"class\":\"program\",\"type\":\"resize\",\"state\":\"busy\",\"tasks\":4,\"running\":2}},"            \
        "\"totals\":{\"workers\":2,\"available\":1,\"busy\":1,\"queued\":0,\"completed\":10,\"failed\":2,"           \
        "\"avgTime\":12.34},\"load\":0.5,\"projects\":{\"a\":{\"used\":1,\"queued\":2,\"limit\":2,\"weight\":4,\"rateLimit\":1.5},"               \
        "\"long\":{\"used\":0,\"queued\":0,\"paused\":true}},\"isolation\":{\"js\":{\"seccomp\":\"enforced\",\"cgroup\":\"absent\","                              \
        "\"rlimits\":\"enforced\"},\"long-name\":{\"seccomp\":\"partial\"}}}"

static void test_status(void **state)
{
        static const char expected[] =
                "poppod 0.1.0  running  pid 7  up 1m 5s  /s\n\n"
                "TOTAL  AVAILABLE  BUSY  QUEUED  COMPLETED  FAILED  AVG TIME  LOAD\n"
                "    2          1     1       0         10       2   12.3 ms  0.50\n\n"
                "CLASS             WORKERS  BUSY  RUNNING  DONE\n"
                "js                      1     1        1     3\n"
                "resize (program)        2     1        2     7\n\n"
                "Projects\n  a     1/2  50%  2 queued\n  long  0 in use, no limit  paused\n\n"
                "Isolation\n  js        enforced  seccomp rlimits\n  js        absent    cgroup\n"
                "  long-name partial   seccomp\n";
        char whole[1024];

        (void)state;
        SERVE(fake, {"status", STATUS});
        snprintf(whole, sizeof(whole), "%s\nwarning: workers of class js do not start: 5 crashes\n", expected);
        check(RUN("daemon", "status"), 0, whole, "");
        snprintf(whole, sizeof(whole),
                "%s\nWorkers\nID  PID  CLASS             STATE  TASKS  PROJECT  TASK\n1     9  js                busy       3  a\n"
                "2     0  resize (program)  idle       3\n3     0  resize (program)  busy       4\n"
                "\nwarning: workers of class js do not start: 5 crashes\n", expected);
        check(RUN("daemon", "status", "-v"), 0, whole, "");
        check(RUN("daemon", "status", "--json"), 0, STATUS "\n", "");
        check(RUN("project", "list"), 0,
                "PROJECT  USED  LIMIT  QUEUED   RATE  WEIGHT  STATE\na           1      2       2  1.5/s       4  open\n"
                "long        0   none       0   none       1  paused\n", "");
        finish(&fake);
}

static void test_project_commands(void **state)
{
        (void)state;
        SERVE(fake, {"project-limit", "{\"message\":\"a may run 3 at once\",\"projectId\":\"a\",\"limit\":3}"},
                {"project-usage", "{\"usage\":{\"a\":{\"used\":1,\"limit\":3,\"available\":2},\"b\":2}}"});
        check(RUN("project", "limit", "a", "3"), 0, "a may run 3 at once\n", "");
        check(RUN("project", "limit", "a", "-3"), 64, "", "poppo: a limit is a whole number from 0, not \"-3\"\n");
        check(RUN("project", "usage"), 0, "a  1/3\nb  2\n", "");
        check(RUN("project", "usage", "a", "--json"), 0, "{\"a\":{\"used\":1,\"limit\":3,\"available\":2},\"b\":2}\n", "");
        finish(&fake);
}

static void test_project_settings(void **state)
{
        (void)state;
        SERVE(fake, {"project-set", "{\"message\":\"Project a is open\",\"paused\":false}"});
        check(RUN("project", "set", "a", "weight=4", "rateLimit=10/s", "paused=false"), 0, "Project a is open\n", "");
        check(RUN("project", "pause", "a", "--json"), 0, "{\"message\":\"Project a is open\",\"paused\":false}\n", "");
        check(RUN("project", "resume", "a"), 0, "Project a is open\n", "");
        check_requests(&fake,
                "{\"op\":\"project-set\",\"projectId\":\"a\",\"weight\":4,\"rateLimit\":\"10/s\",\"paused\":false}\n"
                "{\"op\":\"project-set\",\"projectId\":\"a\",\"paused\":true}\n"
                "{\"op\":\"project-set\",\"projectId\":\"a\",\"paused\":false}\n");
        check(RUN("project", "set", "a", "wieght=4"), 64, "",
                "poppo: a project has no setting \"wieght\"\n       did you mean weight=?\n");
        check(RUN("project", "set", "a", "weight"), 64, "", "poppo: a setting is KEY=VALUE, not \"weight\"\n");
        finish(&fake);
}

static void test_daemon_calls(void **state)
{
        (void)state;
        SERVE(fake, {"reload", "{\"message\":\"nothing changed\"}"}, {"drain", "{}"});
        check(RUN("daemon", "reload"), 0, "nothing changed\n", "");
        check(RUN("daemon", "drain"), 0, "drained: nothing is left, nothing new is taken\n", "");
        check_requests(&fake, "{\"op\":\"reload\"}\n{\"op\":\"drain\"}\n");
        finish(&fake);
}

static void test_reload_refused(void **state)
{
        (void)state;
        SERVE(fake, {"reload", "{\"error\":{\"code\":\"INVALID_OPTION\",\"message\":\"poppod.json:1:2: unknown key\"}}"});
        check(RUN("daemon", "reload"), 78, "", "poppo: poppod.json:1:2: unknown key\n       nothing was changed\n");
        finish(&fake);
}

/* ---- daemon start ---- */

/* A poppod in PATH that is a script. */
static void put_script(const struct fake *fake, const char *script, char *path, size_t size)
{
        int fd;

        snprintf(path, size, "%s/poppod", fake->directory);
        fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, script, strlen(script)), strlen(script));
        close(fd);
}

static void check_start(const char *script, int status, const char *complaint)
{
        static const struct fake_rule none[] = {{"none", NULL}};
        char *path = strdup(getenv("PATH")), program[128], socket[128], log[128], expected[512];
        struct fake fake;

        fake_start(&fake, none, 1, 0);
        put_script(&fake, script, program, sizeof(program));
        snprintf(socket, sizeof(socket), "%s/other.sock", fake.directory);
        snprintf(log, sizeof(log), "%s/poppod.log", fake.directory);
        snprintf(expected, sizeof(expected), "--socket %s -c a.json\n%s\n       %s\n", socket, complaint, log);
        setenv("PATH", fake.directory, 1);
        check(RUN("daemon", "start", "--socket", socket, "-c", "a.json"), status, "", expected);
        setenv("PATH", path, 1);
        unlink(program);
        unlink(log);
        free(path);
        fake_stop(&fake);
}

static void test_start_that_fails_shows_the_log(void **state)
{
        (void)state;
        check_start("#!/bin/sh\necho $* >&2\nexit 78\n", 78,
                "poppo: poppod ended with status 78 before it was ready; its log:");
        check_start("#!/bin/sh\necho $*\nexit 0\n", 69, "poppo: poppod ended with status 0 before it was ready; its log:");
}

static void test_start_needs_a_program(void **state)
{
        char *path = strdup(getenv("PATH"));

        (void)state;
        setenv("PATH", "/nonexistent", 1);
        check(RUN("daemon", "start", "--socket", "/nonexistent/s"), 69, "",
                "poppo: cannot find poppod, neither beside poppo nor in PATH\n");
        setenv("PATH", path, 1);
        free(path);
}

static void test_start_when_it_runs_already(void **state)
{
        char expected[64];

        (void)state;
        SERVE(fake, {"none", NULL});
        snprintf(expected, sizeof(expected), "poppod is running already, pid %d\n", (int)fake.pid);
        check(RUN("daemon", "start"), 0, "", expected);
        finish(&fake);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_wait_for_several),
                cmocka_unit_test(test_wait_for_unknown_ones),
                cmocka_unit_test(test_result_of_a_running_task),
                cmocka_unit_test(test_cancel_prints_the_state),
                cmocka_unit_test(test_list_is_a_table),
                cmocka_unit_test(test_retry_prints_the_state),
                cmocka_unit_test(test_why_gives_the_verdict_and_the_ledger),
                cmocka_unit_test(test_why_of_a_waiting_task),
                cmocka_unit_test(test_stats),
                cmocka_unit_test(test_stats_have_what_handlers_measure),
                cmocka_unit_test(test_status),
                cmocka_unit_test(test_project_commands),
                cmocka_unit_test(test_project_settings),
                cmocka_unit_test(test_daemon_calls),
                cmocka_unit_test(test_reload_refused),
                cmocka_unit_test(test_start_that_fails_shows_the_log),
                cmocka_unit_test(test_start_needs_a_program),
                cmocka_unit_test(test_start_when_it_runs_already),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
