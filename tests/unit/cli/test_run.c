/* poppo run, call, and the command line itself: as users see them. */
#include "run_poppo.h"

#include "cli/cli.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD(fields) "{\"id\":\"i\",\"result\":{" fields "}}"

/* ---- run and call ---- */

static void test_run_sends_the_task_and_prints_the_value(void **state)
{
        (void)state;
        SERVE(fake, {"none", NULL});
        check(RUN("run", "-e", "return 1"), 0, "\"return 1\"\n", "");
        check(RUN("run", "-p", "web", "--priority", "7", "--timeout=2s", "--attempts", "3", "--raw", "-ereturn 1"), 0,
                "return 1\n", "");
        check_requests(&fake,
                "{\"op\":\"submit\",\"wait\":true,\"task\":{\"type\":\"execute-code\",\"code\":\"return 1\"},"
                "\"options\":{\"maxAttempts\":1}}\n"
                "{\"op\":\"submit\",\"wait\":true,\"task\":{\"type\":\"execute-code\",\"code\":\"return 1\"},"
                "\"options\":{\"projectId\":\"web\",\"priority\":7,\"timeout\":2000,\"maxAttempts\":3}}\n");
        finish(&fake);
}

static void test_run_reads_files_and_pipes(void **state)
{
        char path[64];
        int fd = temporary("6 * 7;\n");

        (void)state;
        SERVE(fake, {"none", NULL});
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
        check(RUN("run", path), 0, "\"6 * 7;\\n\"\n", "");
        check(RUN_WITH("1;", "run", "-"), 0, "\"1;\"\n", "");
        check(RUN("run", "/nonexistent.js"), 65, "",
                "poppo: cannot read /nonexistent.js: No such file or directory\n");
        check(RUN_WITH("\xff", "run", "-"), 65, "", "poppo: the code is not UTF-8\n");
        close(fd);
        finish(&fake);
}

static void test_run_with_arguments_calls_a_function(void **state)
{
        (void)state;
        SERVE(fake, {"none", NULL});
        check(RUN("run", "--arg", "1", "--arg", "{\"a\":[true]}", "-e", "f"), 0, "\"f\"\n", "");
        check(RUN("call", "f", "-1", "\"x\""), 0, "\"f\"\n", "");
        check_requests(&fake,
                "{\"op\":\"submit\",\"wait\":true,\"task\":{\"type\":\"execute-function\",\"fn\":\"f\",\"args\":"
                "[1,{\"a\":[true]}]},\"options\":{\"maxAttempts\":1}}\n"
                "{\"op\":\"submit\",\"wait\":true,\"task\":{\"type\":\"execute-function\",\"fn\":\"f\",\"args\":"
                "[-1,\"x\"]},\"options\":{\"maxAttempts\":1}}\n");
        check(RUN("call", "f", "x"), 65, "",
                "poppo: argument 1 is not JSON: column 1: invalid token near 'x'\n");
        check(RUN("run", "--type", "execute-code", "--arg", "1", "-e", "f"), 64, "",
                "poppo: execute-code takes no arguments\n       --type execute-function takes arguments\n");
        finish(&fake);
}

static void test_run_prints_logs_apart(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD("\"state\":\"succeeded\",\"value\":{\"a\":0.1},\"logs\":[{\"level\":\"log\",\"text\":"
                "\"one\"},{\"level\":\"warn\",\"text\":\"two\"}]")});
        check(RUN("run", "-e", "x"), 0, "{\"a\":0.1}\n", "one\ntwo\n");
        check(RUN("run", "--json", "-e", "x"), 0,
                "{\"state\":\"succeeded\",\"value\":{\"a\":0.1},\"logs\":[{\"level\":\"log\",\"text\":\"one\"},"
                "{\"level\":\"warn\",\"text\":\"two\"}]}\n", "");
        finish(&fake);
}

static void test_run_tells_how_a_task_failed(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD("\"state\":\"failed\",\"error\":{\"code\":\"TASK_ERROR\",\"name\":\"TypeError\","
                "\"message\":\"x is undefined\",\"stack\":\"TypeError: x is undefined\\n    at task.js:3\",\"data\":[1]}")});
        check(RUN("run", "-e", "x"), 1, "",
                "poppo: TASK_ERROR: TypeError: x is undefined\n    at task.js:3\n       data: [1]\n");
        assert_int_equal(RUN("run", "--json", "-e", "x")->status, 1);
        finish(&fake);
}

static void test_exit_status_of_a_timeout(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD("\"state\":\"failed\",\"error\":{\"code\":\"TIMEOUT\",\"message\":\"too long\"}")});
        check(RUN("run", "-e", "while(1);"), 124, "", "poppo: TIMEOUT: too long\n");
        finish(&fake);
}

static void test_refusal_says_what_to_try(void **state)
{
        (void)state;
        SERVE(fake, {"submit", "{\"error\":{\"code\":\"QUEUE_FULL\",\"message\":\"100000 tasks wait\",\"retryAfter\":50}}"});
        check(RUN("run", "-e", "x"), 75, "", "poppo: QUEUE_FULL: 100000 tasks wait\n       try again in 50 ms\n");
        check(RUN("run", "--json", "-e", "x"), 75, "",
                "{\"error\":{\"code\":\"QUEUE_FULL\",\"message\":\"100000 tasks wait\",\"hint\":\"try again in 50 ms\"}}\n");
        finish(&fake);
}

static void test_nobody_there(void **state)
{
        (void)state;
        check(RUN("--socket", "/nonexistent/s", "run", "-e", "1"), 69, "",
                "poppo: cannot connect to /nonexistent/s: No such file or directory\n"
                "       start the supervisor with: poppo daemon start\n");
        check(RUN("daemon", "status", "--socket=/nonexistent/s"), 3, "poppod is not running (/nonexistent/s)\n", "");
        check(RUN("daemon", "status", "--json", "--socket=/nonexistent/s"), 3, "{\"running\":false}\n", "");
        check(RUN("daemon", "stop", "--socket=/nonexistent/s"), 0, "", "poppod is not running\n");
}

static void test_connection_lost_in_a_run(void **state)
{
        (void)state;
        SERVE(fake, {"submit", "!"});
        check(RUN("run", "-e", "1"), 69, "",
                "poppo: CONNECTION_LOST: the connection to the supervisor was lost before it answered\n");
        finish(&fake);
}

static void test_interrupt_ends_a_run(void **state)
{
        int in = temporary(""), out = temporary(""), err = temporary(""), status;
        char *requests = NULL;
        pid_t pid;

        (void)state;
        SERVE(fake, {"submit", NULL});
        pid = start(in, out, err, (const char *[]){"poppo", "run", "-e", "while(1);", NULL});
        do {
                free(requests);
                usleep(1000);
                requests = fake_requests(&fake);
        } while (!strstr(requests, "while"));
        free(requests);
        kill(pid, SIGINT);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 130);
        close(in);
        close(out);
        close(err);
        finish(&fake);
}

/* ---- usage ---- */

static void test_usage_errors(void **state)
{
        (void)state;
        check(RUN("rnu", "-e", "1"), 64, "", "poppo: unknown command \"rnu\"\n       did you mean: poppo run\n");
        check(RUN("xyzzy"), 64, "", "poppo: unknown command \"xyzzy\"\n       poppo help lists the commands\n");
        check(RUN("daemon", "strat"), 64, "",
                "poppo: unknown command \"daemon strat\"\n       did you mean: poppo daemon start\n");
        assert_int_equal(RUN("daemon", "--bogus")->status, 64);
        assert_int_equal(RUN("daemon", "--help")->status, 0);
        check(RUN("run", "--tiemout", "3", "-e", "1"), 64, "",
                "poppo: unknown option --tiemout\n       did you mean --timeout?\n");
        check(RUN("run", "-x"), 64, "", "poppo: unknown option -x\n");
        check(RUN("run", "--timeout"), 64, "", "poppo: --timeout needs its MS\n");
        check(RUN("run", "--timeout", "soon"), 64, "",
                "poppo: --timeout takes milliseconds, or a number with a unit like 500ms, 60s or 5m, not \"soon\"\n");
        check(RUN("run", "--priority", "-1"), 64, "", "poppo: --priority takes a whole number, not \"-1\"\n");
        check(RUN("run", "--raw=1"), 64, "", "poppo: --raw takes no argument\n");
        check(RUN("run"), 64, "", "poppo: either -e CODE or a FILE is needed\n       poppo help run\n");
        check(RUN("run", "-e", "1", "x"), 64, "",
                "poppo: either -e CODE or a FILE is needed, not both\n       poppo help run\n");
        check(RUN("result"), 64, "", "poppo: too few operands\nusage: poppo result [-r] ID\n");
        check(RUN("stats", "x"), 64, "", "poppo: too many operands\nusage: poppo stats\n");
}

static size_t count_lines(const char *text)
{
        size_t n = 0;

        for (; *text; text++)
                n += *text == '\n';
        return n;
}

static size_t longest_line(const char *text)
{
        size_t longest = 0;

        while (*text) {
                size_t len = strcspn(text, "\n");

                longest = len > longest ? len : longest;
                text += len + (text[len] == '\n');
        }
        return longest;
}

static void test_help_fits_a_screen(void **state)
{
        const struct outcome *o;

        (void)state;
        o = RUN("help");
        assert_int_equal(o->status, 0);
        assert_in_range(count_lines(o->out), 10, 24);
        assert_in_range(longest_line(o->out), 20, 80);
        for (size_t i = 0; i < cli_n_commands; i++) {
                char name[64], *group_end;

                snprintf(name, sizeof(name), "%s", cli_commands[i].name);
                group_end = strchr(name, ' ');
                o = group_end ? (*group_end = '\0', RUN("help", name, group_end + 1)) : RUN(name, "--help");
                assert_int_equal(o->status, 0);
                assert_non_null(strstr(o->out, cli_commands[i].doc));
                assert_in_range(longest_line(o->out), 20, 130);
        }
        assert_int_equal(RUN("help", "nothing")->status, 64);
        assert_non_null(strstr(RUN("help", "daemon")->out, "daemon restart"));
}

static void test_version(void **state)
{
        (void)state;
        check(RUN("--version"), 0, "poppo 0.1.0\n", "");
        check(RUN("version", "--json"), 0, "{\"version\":\"0.1.0\"}\n", "");
}

static void test_output_that_cannot_be_written(void **state)
{
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC), in = temporary(""), err = temporary(""), status;
        pid_t pid;

        (void)state;
        assert_true(full >= 0);
        pid = start(in, full, err, (const char *[]){"poppo", "version", NULL});
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 74);
        close(full);
        close(in);
        close(err);
}

/* So many lines of what was written to a terminal; its line discipline adds carriage returns, and hands on what it likes. */
static void read_terminal(int master, int lines, char *out, size_t size)
{
        size_t len = 0;

        while (lines) {
                assert_true(len < size - 1);
                assert_int_equal(read(master, out + len, 1), 1);
                lines -= out[len++] == '\n';
        }
        out[len] = '\0';
}

static void test_tasks_do_not_steer_the_terminal(void **state)
{
        int master, slave, out = temporary(""), status;
        char seen[1024];
        pid_t pid;

        (void)state;
        SERVE(fake, {"submit", "{\"id\":\"x\",\"result\":{\"state\":\"failed\",\"logs\":[{\"text\":\"a\\tb\\u001b[2J\"}],"
                "\"error\":{\"code\":\"TASK_ERROR\",\"name\":\"E\\u009b1m\",\"message\":\"\\u00e9\\u007f\\r\"}}}"});
        assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
        setenv("NO_COLOR", "1", 1);
        pid = start(out, out, slave, (const char *[]){"poppo", "run", "-e", "1", NULL});
        assert_int_equal(waitpid(pid, &status, 0), pid);
        unsetenv("NO_COLOR");
        read_terminal(master, 2, seen, sizeof(seen));
        assert_string_equal(seen, "a\tb\\x1b[2J\r\npoppo: TASK_ERROR: E\\x9b1m: \xc3\xa9\\x7f\\x0d\r\n");
        close(out);
        close(slave);
        close(master);
        finish(&fake);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tasks_do_not_steer_the_terminal),
                cmocka_unit_test(test_run_sends_the_task_and_prints_the_value),
                cmocka_unit_test(test_run_reads_files_and_pipes),
                cmocka_unit_test(test_run_with_arguments_calls_a_function),
                cmocka_unit_test(test_run_prints_logs_apart),
                cmocka_unit_test(test_run_tells_how_a_task_failed),
                cmocka_unit_test(test_exit_status_of_a_timeout),
                cmocka_unit_test(test_refusal_says_what_to_try),
                cmocka_unit_test(test_nobody_there),
                cmocka_unit_test(test_connection_lost_in_a_run),
                cmocka_unit_test(test_interrupt_ends_a_run),
                cmocka_unit_test(test_usage_errors),
                cmocka_unit_test(test_help_fits_a_screen),
                cmocka_unit_test(test_version),
                cmocka_unit_test(test_output_that_cannot_be_written),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
