/* poppo(1) as its users see it: arguments and input in, output, errors and exit status out. A fake supervisor answers. */
#include "base/fd.h"
#include "cli/cli.h"
#include "fake_server.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { OUTPUT_MAX = 256 * 1024 };

struct outcome {
        int status;
        char out[OUTPUT_MAX], err[OUTPUT_MAX];
};

/* ---- running it ---- */

static int temporary(const char *content)
{
        char path[] = "/tmp/poppo-test-XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        unlink(path);
        assert_int_equal(write(fd, content, strlen(content)), strlen(content));
        lseek(fd, 0, SEEK_SET);
        return fd;
}

static void slurp(int fd, char *out)
{
        ssize_t n;

        lseek(fd, 0, SEEK_SET);
        n = read(fd, out, OUTPUT_MAX - 1);
        assert_true(n >= 0);
        out[n] = '\0';
        close(fd);
}

static pid_t start(int in, int out, int err, const char **argv)
{
        int argc = 0;
        pid_t pid;

        while (argv[argc])
                argc++;
        fflush(NULL);
        pid = fork();
        assert_true(pid >= 0);
        if (pid)
                return pid;
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(err, STDERR_FILENO);
        fd_close_from(STDERR_FILENO + 1, -1);
        exit(cli_main(argc, (char **)argv));
}

/* The outcome is static: the next run overwrites it. */
static struct outcome *run_with(const char *input, const char **argv)
{
        static struct outcome o;
        int in = temporary(input), out = temporary(""), err = temporary(""), status;
        pid_t pid = start(in, out, err, argv);

        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        o.status = WEXITSTATUS(status);
        close(in);
        slurp(out, o.out);
        slurp(err, o.err);
        return &o;
}

#define RUN_WITH(input, ...) run_with(input, (const char *[]){"poppo", __VA_ARGS__, NULL})
#define RUN(...) RUN_WITH("", __VA_ARGS__)

#define SERVE(fake, ...)                                                                                     \
        static const struct fake_rule rules[] = {__VA_ARGS__};                                               \
        struct fake fake;                                                                                    \
        fake_start(&fake, rules, sizeof(rules) / sizeof(rules[0]), 0);                                       \
        setenv("POPPO_SOCKET", fake.path, 1)

static void finish(struct fake *fake)
{
        unsetenv("POPPO_SOCKET");
        fake_stop(fake);
}

static void check(const struct outcome *o, int status, const char *out, const char *err)
{
        assert_string_equal(o->err, err);
        assert_string_equal(o->out, out);
        assert_int_equal(o->status, status);
}

static void check_requests(const struct fake *fake, const char *expected)
{
        char *requests = fake_requests(fake);

        assert_string_equal(requests, expected);
        free(requests);
}

#define RECORD(fields) "{\"id\":\"i\",\"result\":{" fields "}}"
#define ID "00000000-0000-7000-8000-000000000001"

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

/* ---- submit ---- */

static void test_submit_one_document(void **state)
{
        (void)state;
        SERVE(fake, {"none", NULL});
        check(RUN_WITH("{\n \"type\": \"t\",\n \"n\": 1\n}\n", "submit", "-p", "a", "--key", "k", "--delay", "1m", "-"), 0,
                ID "\n", "");
        check(RUN_WITH("{\"task\":{\"type\":\"t\"},\"options\":{\"priority\":1,\"projectId\":\"b\"}}", "submit", "-p", "a",
                      "--json", "-"), 0, "{\"id\":\"00000000-0000-7000-8000-000000000002\"}\n", "");
        check_requests(&fake,
                "{\"op\":\"submit\",\"task\":{\"type\":\"t\",\"n\":1},\"options\":{\"projectId\":\"a\",\"key\":\"k\","
                "\"delay\":60000}}\n"
                "{\"op\":\"submit\",\"task\":{\"type\":\"t\"},\"options\":{\"projectId\":\"a\",\"priority\":1}}\n");
        finish(&fake);
}

static void test_submit_bad_documents(void **state)
{
        (void)state;
        SERVE(fake, {"none", NULL});
        check(RUN_WITH("", "submit", "-"), 65, "",
                "poppo: standard input is not JSON: column 0: unexpected token near end of file\n");
        check(RUN_WITH("{\n", "submit", "-"), 65, "",
                "poppo: standard input is not JSON: line 2, column 0: string or '}' expected near end of file\n");
        check(RUN_WITH("[1]", "submit", "-"), 65, "",
                "poppo: standard input is not a task: an object {\"type\": ...} is needed\n");
        check(RUN_WITH("{\"task\":{},\"options\":3}", "submit", "-"), 65, "",
                "poppo: standard input: options is not an object\n");
        check(RUN("submit", "/nonexistent.json"), 65, "",
                "poppo: cannot read /nonexistent.json: No such file or directory\n");
        check_requests(&fake, "");
        finish(&fake);
}

/* 3,000 lines are more than the window. Their ids come in their order, though replies come last first. */
static void test_submit_many_keeps_the_order(void **state)
{
        enum { N = 3000 };
        static char input[N * 32], expected[N * 16];
        static const struct fake_rule none[] = {{"none", NULL}};
        char *in = input, *out = expected;
        struct fake fake;

        (void)state;
        for (int i = 0; i < N; i++) {
                in += sprintf(in, "{\"type\":\"t\",\"code\":%d}\n", i);
                out += sprintf(out, "%d\n", i);
        }
        fake_start(&fake, none, 1, 1);
        setenv("POPPO_SOCKET", fake.path, 1);
        check(RUN_WITH(input, "submit", "--wait", "-"), 0, expected, "");
        finish(&fake);
}

static void test_submit_many_with_bad_lines(void **state)
{
        (void)state;
        SERVE(fake, {"none", NULL});
        check(RUN_WITH("{\"type\":\"a\"}\n\n{bad\n{\"type\":\"b\"}\n7\n{\"type\":\"c\"}", "submit", "-"), 65,
                "00000000-0000-7000-8000-000000000001\n\n00000000-0000-7000-8000-000000000002\n\n"
                "00000000-0000-7000-8000-000000000003\n",
                "poppo: line 3 is not JSON: column 4: string or '}' expected near 'bad'\n"
                "poppo: line 5 is not a task: an object {\"type\": ...} is needed\n");
        check(RUN_WITH("{\"type\":\"a\"}\n{\"type\":\"b\"}\n", "submit", "--key", "k", "-"), 64,
                "00000000-0000-7000-8000-000000000004\n\n",
                "poppo: --key is for a single document\n       give each document its own {\"options\":{\"key\":...}}\n");
        finish(&fake);
}

static void test_submit_many_refused(void **state)
{
        (void)state;
        SERVE(fake, {"submit", "{\"error\":{\"code\":\"INVALID_TASK\",\"message\":\"no\"}}"});
        check(RUN_WITH("{\"type\":\"a\"}\n{\"type\":\"b\"}\n", "submit", "-"), 65, "\n\n",
                "poppo: INVALID_TASK: line 1: no\npoppo: INVALID_TASK: line 2: no\n");
        check(RUN_WITH("{\"type\":\"a\"}\n", "submit", "--json", "-"), 65,
                "{\"error\":{\"code\":\"INVALID_TASK\",\"message\":\"no\"}}\n", "");
        finish(&fake);
}

static void test_submit_answers_a_slow_pipe_at_once(void **state)
{
        static const char line[] = "{\"type\":\"a\"}\n";
        int in[2], out[2], err = temporary(""), status;
        char id[64];
        pid_t pid;

        (void)state;
        SERVE(fake, {"none", NULL});
        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        pid = start(in[0], out[1], err, (const char *[]){"poppo", "submit", "-", NULL});
        close(in[0]);
        close(out[1]);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(write(in[1], line, sizeof(line) - 1), sizeof(line) - 1);
                assert_int_equal(read(out[0], id, sizeof(id)), 37);
        }
        close(in[1]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        close(out[0]);
        close(err);
        finish(&fake);
}

static void test_submit_loses_the_connection(void **state)
{
        (void)state;
        SERVE(fake, {"submit", "!"});
        check(RUN_WITH("{\"type\":\"a\"}\n{\"type\":\"b\"}\n", "submit", "-"), 69, "",
                "poppo: CONNECTION_LOST: the connection to the supervisor was lost before it answered\n");
        finish(&fake);
}

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

#define STATUS                                                                                               \
        "{\"daemon\":{\"version\":\"0.1.0\",\"pid\":7,\"state\":\"running\",\"socket\":\"/s\",\"uptime\":65000,"        \
        "\"spawner\":{\"pid\":8,\"state\":\"ready\"},\"breaker\":{\"state\":\"open\",\"reason\":\"5 crashes\"}},"       \
        "\"workers\":{\"1\":{\"pid\":9,\"class\":\"js\",\"state\":\"busy\",\"projectId\":\"a\",\"tasks\":3}},"            \
        "\"totals\":{\"workers\":2,\"available\":1,\"busy\":1,\"queued\":0,\"completed\":10,\"failed\":2,"           \
        "\"avgTime\":12.34},\"load\":0.5,\"projects\":{\"a\":{\"used\":1,\"queued\":2,\"limit\":2},"               \
        "\"long\":{\"used\":0,\"queued\":0,\"paused\":true}},\"isolation\":{\"js\":{\"seccomp\":\"enforced\",\"cgroup\":\"absent\","                              \
        "\"rlimits\":\"enforced\"}}}"

static void test_status(void **state)
{
        static const char expected[] =
                "poppod 0.1.0  running  pid 7  up 1m 5s  /s\n\n"
                "TOTAL  AVAILABLE  BUSY  QUEUED  COMPLETED  FAILED  AVG TIME  LOAD\n"
                "    2          1     1       0         10       2   12.3 ms  0.50\n\n"
                "Projects\n  a     1/2  50%  2 queued\n  long  0 in use, no limit  paused\n\n"
                "Isolation\n  js       enforced  seccomp rlimits\n  js       absent    cgroup\n";
        char whole[1024];

        (void)state;
        SERVE(fake, {"status", STATUS});
        snprintf(whole, sizeof(whole), "%s\nwarning: starting workers is open: 5 crashes\n", expected);
        check(RUN("daemon", "status"), 0, whole, "");
        snprintf(whole, sizeof(whole),
                "%s\nWorkers\nID  PID  CLASS  STATE  TASKS  PROJECT  TASK\n1     9  js     busy       3  a\n"
                "\nwarning: starting workers is open: 5 crashes\n", expected);
        check(RUN("daemon", "status", "-v"), 0, whole, "");
        check(RUN("daemon", "status", "--json"), 0, STATUS "\n", "");
        check(RUN("project", "list"), 0,
                "PROJECT  USED  LIMIT  QUEUED  STATE\na           1      2       2  open\n"
                "long        0   none       0  paused\n", "");
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

/* ---- usage ---- */

static void test_usage_errors(void **state)
{
        (void)state;
        check(RUN("rnu", "-e", "1"), 64, "", "poppo: unknown command \"rnu\"\n       did you mean: poppo run\n");
        check(RUN("xyzzy"), 64, "", "poppo: unknown command \"xyzzy\"\n       poppo help lists the commands\n");
        check(RUN("daemon", "strat"), 64, "",
                "poppo: unknown command \"daemon strat\"\n       did you mean: poppo daemon start\n");
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

int main(void)
{
        static const struct CMUnitTest tests[] = {
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
                cmocka_unit_test(test_submit_one_document),
                cmocka_unit_test(test_submit_bad_documents),
                cmocka_unit_test(test_submit_many_keeps_the_order),
                cmocka_unit_test(test_submit_many_with_bad_lines),
                cmocka_unit_test(test_submit_many_refused),
                cmocka_unit_test(test_submit_answers_a_slow_pipe_at_once),
                cmocka_unit_test(test_submit_loses_the_connection),
                cmocka_unit_test(test_wait_for_several),
                cmocka_unit_test(test_wait_for_unknown_ones),
                cmocka_unit_test(test_result_of_a_running_task),
                cmocka_unit_test(test_cancel_prints_the_state),
                cmocka_unit_test(test_list_is_a_table),
                cmocka_unit_test(test_stats),
                cmocka_unit_test(test_status),
                cmocka_unit_test(test_project_commands),
                cmocka_unit_test(test_daemon_calls),
                cmocka_unit_test(test_reload_refused),
                cmocka_unit_test(test_usage_errors),
                cmocka_unit_test(test_help_fits_a_screen),
                cmocka_unit_test(test_version),
                cmocka_unit_test(test_output_that_cannot_be_written),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
