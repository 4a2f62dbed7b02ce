/* The commands for the other types of tasks, and what follows them: module, http, sh, logs. */
#include "run_poppo.h"

#include "cli/output.h"

#include <dirent.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD(fields) "{\"id\":\"i\",\"result\":{" fields "}}"
#define SHELL "\"type\":\"shell-command\","
#define VALUE "\"state\":\"succeeded\",\"value\":"
#define FAILED(code) "\"state\":\"failed\",\"error\":{\"code\":\"" code "\",\"message\":\"m\""

/* ---- module ---- */

static void test_module_calls_an_export_with_json_arguments(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD(VALUE "[[1,2],[3]]")});
        check(RUN("module", "lodash", "chunk", "[1,2,3]", "2"), 0, "[[1,2],[3]]\n", "");
        RUN("module", "./lib/sum.js", "-", "-1", "--timeout", "5");
        RUN("module", "config");
        check_requests(&fake,
                "{\"op\":\"submit\",\"wait\":true,\"task\":{\"type\":\"execute-module\",\"modulePath\":\"lodash\",\"method\":"
                "\"chunk\",\"args\":[[1,2,3],2]},\"options\":{\"maxAttempts\":1}}\n"
                "{\"op\":\"submit\",\"wait\":true,\"task\":{\"type\":\"execute-module\",\"modulePath\":\"./lib/sum.js\","
                "\"args\":[-1]},\"options\":{\"timeout\":5,\"maxAttempts\":1}}\n"
                "{\"op\":\"submit\",\"wait\":true,\"task\":{\"type\":\"execute-module\",\"modulePath\":\"config\",\"args\":[]},"
                "\"options\":{\"maxAttempts\":1}}\n");
        finish(&fake);
        check(RUN("module", "lodash", "chunk", "[1"), 65, "",
                "poppo: argument 1 is not JSON: column 2: ']' expected near end of file\n");
}

static void test_run_is_for_code_and_for_handlers_of_ones_own(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD(VALUE "7")});
        check(RUN("run", "--type", "resize", "--arg", "{\"w\":7}"), 0, "7\n", "");
        check(RUN("run", "--type", "lisp", "-e", "(+ 3 4)"), 0, "7\n", "");
        check_requests(&fake,
                "{\"op\":\"submit\",\"wait\":true,\"task\":{\"type\":\"resize\",\"args\":[{\"w\":7}]},\"options\":"
                "{\"maxAttempts\":1}}\n"
                "{\"op\":\"submit\",\"wait\":true,\"task\":{\"type\":\"lisp\",\"code\":\"(+ 3 4)\",\"args\":[]},\"options\":"
                "{\"maxAttempts\":1}}\n");
        finish(&fake);
        check(RUN("run", "--type", "shell-command", "-e", "ls"), 64, "",
                "poppo: shell-command is no code to run; another command is for it\n       poppo sh\n");
        check(RUN("run", "--type", "execute-code"), 64, "",
                "poppo: either -e CODE or a FILE is needed\n       poppo help run\n");
}

/* ---- http ---- */

static void test_http_sends_what_curl_would(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD(VALUE "{\"status\":200,\"data\":\"ok\"}")});
        check(RUN("http", "example.org/a?b=c"), 0, "ok", "");
        RUN("http", "https://h/", "-X", "PUT", "-H", "A: b", "-H", "X-Y:z", "-H", "A:c", "-d", "{\"k\":1}");
        RUN_WITH("\xff in", "http", "h", "-d", "-");
        RUN("http", "h", "-d", "@/dev/null", "--json");
        check_requests(&fake,
                "{\"op\":\"submit\",\"task\":{\"type\":\"http-request\",\"url\":\"http://example.org/a?b=c\",\"responseType\":"
                "\"bytes\"},\"options\":{\"maxAttempts\":1},\"wait\":true}\n"
                "{\"op\":\"submit\",\"task\":{\"type\":\"http-request\",\"url\":\"https://h/\",\"method\":\"PUT\",\"headers\":"
                "{\"A\":\"b, c\",\"X-Y\":\"z\"},\"data\":\"{\\\"k\\\":1}\",\"responseType\":\"bytes\"},\"options\":"
                "{\"maxAttempts\":1},\"wait\":true}\n"
                "{\"op\":\"submit\",\"task\":{\"type\":\"http-request\",\"url\":\"http://h\",\"data\":\"/yBpbg==\","
                "\"responseType\":\"bytes\"},\"options\":{\"maxAttempts\":1},\"wait\":true}\n"
                "{\"op\":\"submit\",\"task\":{\"type\":\"http-request\",\"url\":\"http://h\",\"data\":\"\"},\"options\":"
                "{\"maxAttempts\":1},\"wait\":true}\n");
        finish(&fake);
        check(RUN("http", "h", "-H", "oops"), 64, "", "poppo: -H takes 'Name: value', not \"oops\"\n");
        check(RUN("http"), 64, "",
                "poppo: too few operands\nusage: poppo http [-p PROJECT] [--priority N] [--timeout MS] [--attempts N] "
                "[-X METHOD] [-H HEADER ...] [-d DATA] [-i] URL\n");
}

#define RESPONSE                                                                                             \
        "{\"status\":404,\"statusText\":\"Not Found\",\"headers\":{\"a\":\"b\",\"set-cookie\":[\"x\",\"y\"]},\"data\":\"gone\\n\"}"

static void test_http_prints_the_body_of_an_error_too(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD(FAILED("HTTP_STATUS") ",\"data\":" RESPONSE "}")});
        check(RUN("http", "h"), 1, "gone\n", "poppo: HTTP_STATUS: m\n");
        check(RUN("http", "h", "--include"), 1, "HTTP 404 Not Found\na: b\nset-cookie: x\nset-cookie: y\n\ngone\n",
                "poppo: HTTP_STATUS: m\n");
        check(RUN("http", "h", "--json"), 1,
                "{" FAILED("HTTP_STATUS") ",\"data\":" RESPONSE "}}\n", "");
        finish(&fake);
}

static void test_http_that_is_refused_has_its_own_status(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD(FAILED("URL_REFUSED") ",\"data\":{\"host\":\"h\",\"address\":\"127.0.0.1\"}}")});
        check(RUN("http", "h"), 77, "", "poppo: URL_REFUSED: m\n");
        finish(&fake);
}

/* ---- sh ---- */

static void test_sh_sends_the_command_with_all_that_is_around_it(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD(SHELL VALUE "{\"exitCode\":0}")});
        check(RUN("sh", "-n", "ls", "-l", "--json"), 0, "", "");
        RUN_WITH("in\xff", "sh", "--cwd", "d", "--env", "A=b=c", "--env", "E=", "--file", "x/y~=/dev/null", "--collect", "*.o",
                "-o", "/tmp", "-c", "a | b");
        RUN("sh", "--no-stdin", "--json", "--", "true");
        check_requests(&fake,
                "{\"op\":\"submit\",\"task\":{\"type\":\"shell-command\",\"argv\":[\"ls\",\"-l\",\"--json\"],\"options\":"
                "{\"encoding\":\"bytes\"}},\"options\":{\"maxAttempts\":1},\"wait\":true,\"follow\":true}\n"
                "{\"op\":\"submit\",\"task\":{\"type\":\"shell-command\",\"command\":\"a | b\",\"options\":{\"encoding\":\"bytes\","
                "\"cwd\":\"d\",\"env\":{\"A\":\"b=c\",\"E\":\"\"},\"files\":{\"x/y~\":\"\"},\"collect\":[\"*.o\"],\"stdin\":"
                "\"aW7/\"}},\"options\":{\"maxAttempts\":1},\"wait\":true,\"follow\":true}\n"
                "{\"op\":\"submit\",\"task\":{\"type\":\"shell-command\",\"argv\":[\"true\"],\"options\":{}},\"options\":"
                "{\"maxAttempts\":1},\"wait\":true}\n");
        finish(&fake);
}

static void test_sh_usage(void **state)
{
        (void)state;
        check(RUN("sh"), 64, "", "poppo: either -c LINE or a COMMAND is needed\n       poppo help sh\n");
        check(RUN("sh", "-c", "a", "b"), 64, "",
                "poppo: either -c LINE or a COMMAND is needed, not both\n       poppo help sh\n");
        check(RUN("sh", "--env", "A", "x"), 64, "", "poppo: --env takes NAME=VALUE, not \"A\"\n");
        check(RUN("sh", "--collect", "x", "x"), 64, "", "poppo: --collect needs -o DIR, where the files are put\n");
        check(RUN("sh", "--file", "/etc/passwd", "x"), 64, "",
                "poppo: --file: the command finds it in its private directory, not at /etc/passwd\n"
                "       name it as in --file data.csv=/home/me/data.csv\n");
        check(RUN("sh", "--file", "a=/dev/null", "--file", "a=/dev/null", "x"), 64, "", "poppo: a is given twice\n");
        assert_int_equal(RUN("sh", "--file", "/nonexistent=/nonexistent", "x")->status, 64);
        check(RUN("sh", "--file", "a=/nonexistent", "x"), 65, "",
                "poppo: cannot read /nonexistent: No such file or directory\n");
}

static void test_sh_hands_on_output_and_status(void **state)
{
        (void)state;
        SERVE(fake, {"submit", ">1 stdout \"one\\n\"\n>1 stderr \"two\\n\"\n>1 stdout \"three\\n\"\n"
                RECORD(SHELL FAILED("EXIT_STATUS") ",\"data\":{\"exitCode\":3,\"signal\":null,\"stdout\":\"one\\nthree\\n\","
                "\"stderr\":\"two\\n\"}}")});
        check(RUN("sh", "x"), 3, "one\nthree\n", "two\n");
        finish(&fake);
}

static void test_sh_killed_by_a_signal(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD(SHELL FAILED("EXIT_STATUS") ",\"data\":{\"exitCode\":null,\"signal\":\"SIGKILL\"}}")});
        check(RUN("sh", "x"), 137, "", "");
        finish(&fake);
}

static void test_sh_whose_command_never_ran(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD(SHELL FAILED("COMMAND_REFUSED") "}")});
        check(RUN("sh", "x"), 77, "", "poppo: COMMAND_REFUSED: m\n");
        finish(&fake);
}

static void test_sh_whose_command_cannot_be_run_says_so(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD(SHELL FAILED("EXIT_STATUS") ",\"data\":{\"exitCode\":127,\"signal\":null,\"stderr\":\"\"}}")});
        check(RUN("sh", "x"), 127, "", "poppo: m\n");
        finish(&fake);
}

static void test_sh_of_a_shell_that_says_it_itself(void **state)
{
        (void)state;
        SERVE(fake, {"submit", RECORD(SHELL FAILED("EXIT_STATUS") ",\"data\":{\"exitCode\":127,\"stderr\":\"sh: x: not found\\n\"}}")});
        check(RUN("sh", "-c", "x"), 127, "", "sh: x: not found\n");
        finish(&fake);
}

/* A task that ran before, by its key, or on a supervisor that pushed nothing. */
static void test_sh_prints_from_the_record_what_was_not_pushed(void **state)
{
        (void)state;
        SERVE(fake, {"submit", ">1 stderr \"first\"\n>2 stdout \"b\"\n"
                RECORD(SHELL VALUE "{\"exitCode\":0,\"stdout\":\"b\",\"stderr\":\"second\"},\"truncated\":true")});
        check(RUN("sh", "x"), 0, "b",
                "firstsecondpoppo: the output was cut\n       taskTypes.shell-command.maxOutputBytes is what is kept\n");
        finish(&fake);
}

static void wait_for(int fd, const char *text)
{
        char seen[256];
        ssize_t n;

        do {
                usleep(1000);
                n = pread(fd, seen, sizeof(seen) - 1, 0);
                assert_true(n >= 0);
                seen[n] = '\0';
        } while (!strstr(seen, text));
}

static void test_sh_prints_output_as_it_comes_and_is_interrupted(void **state)
{
        int in = temporary(""), out = temporary(""), err = temporary(""), status;
        pid_t pid;

        (void)state;
        SERVE(fake, {"submit", ">1 stdout \"begun\"\n"});
        pid = start(in, out, err, (const char *[]){"poppo", "sh", "sleep", "100", NULL});
        wait_for(out, "begun");
        kill(pid, SIGINT);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 130);
        close(in);
        close(out);
        close(err);
        finish(&fake);
}

static void test_sh_stops_when_nobody_takes_its_output(void **state)
{
        int full = open("/dev/full", O_WRONLY | O_CLOEXEC), in = temporary(""), err = temporary(""), status;
        pid_t pid;

        (void)state;
        SERVE(fake, {"submit", ">1 stdout \"begun\"\n"});
        pid = start(in, full, err, (const char *[]){"poppo", "sh", "yes", NULL});
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 74);
        close(full);
        close(in);
        close(err);
        finish(&fake);
}

static void test_commands_do_not_steer_the_terminal(void **state)
{
        int master, slave, out = temporary(""), status;
        static const char expected[] = "a\\x1b[2J\\x9b\xc3\xa9";
        char seen[sizeof(expected)] = "";
        pid_t pid;

        (void)state;
        SERVE(fake, {"submit", ">1 stderr \"a\\u001b[2J\\u009b\\u00e9\"\n" RECORD(SHELL VALUE "{\"exitCode\":0}")});
        assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
        pid = start(out, out, slave, (const char *[]){"poppo", "sh", "x", NULL});
        assert_int_equal(waitpid(pid, &status, 0), pid);
        for (size_t n = 0; n < sizeof(seen) - 1;) {
                ssize_t more = read(master, seen + n, sizeof(seen) - 1 - n);

                assert_true(more > 0);
                n += (size_t)more;
        }
        assert_string_equal(seen, expected);
        close(out);
        close(slave);
        close(master);
        finish(&fake);
}

/* U+009B steers a terminal as well; its two bytes may come in two pieces. */
static void test_a_control_character_in_two_pieces_does_not_steer_it(void **state)
{
        static const char expected[] = "\xc2\\x9b[2J\xc3\xa9";
        char seen[sizeof(expected)] = "";
        unsigned char last = 0;
        int master, slave;
        FILE *terminal;

        (void)state;
        assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
        terminal = fdopen(slave, "w");
        output_bytes(terminal, "\xc2", 1, &last);
        output_bytes(terminal, "\x9b[2J\xc3", 5, &last);
        output_bytes(terminal, "\xa9", 1, &last);
        fflush(terminal);
        for (size_t n = 0; n < sizeof(seen) - 1;) {
                ssize_t more = read(master, seen + n, sizeof(seen) - 1 - n);

                assert_true(more > 0);
                n += (size_t)more;
        }
        assert_string_equal(seen, expected);
        fclose(terminal);
        close(master);
}

/* ---- collected files ---- */

static void check_file(const char *directory, const char *name, const char *expected)
{
        char path[256], text[64];
        FILE *file;
        size_t n;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = fopen(path, "r");
        assert_non_null(file);
        n = fread(text, 1, sizeof(text) - 1, file);
        text[n] = '\0';
        assert_string_equal(text, expected);
        fclose(file);
        unlink(path);
}

static void test_collected_files_are_put_into_the_directory(void **state)
{
        char parent[] = "/tmp/poppo-test-XXXXXX", directory[96], sub[128];

        (void)state;
        assert_non_null(mkdtemp(parent));
        snprintf(directory, sizeof(directory), "%s/out", parent);
        snprintf(sub, sizeof(sub), "%s/a", directory);
        SERVE(fake, {"submit", RECORD(SHELL FAILED("EXIT_STATUS") ",\"data\":{\"exitCode\":1,\"files\":"
                "{\"x\":\"1\",\"a/~y\":\"22\"}}}")});
        check(RUN("sh", "-n", "--collect", "*", "-o", directory, "x"), 1, "", "");
        check_file(directory, "x", "1");
        check_file(directory, "a/~y", "22");
        finish(&fake);
        rmdir(sub);
        rmdir(directory);
        assert_int_equal(rmdir(parent), 0);
}

static void test_collected_files_stay_inside_of_the_directory(void **state)
{
        char parent[] = "/tmp/poppo-test-XXXXXX", directory[96], link_to[128], link_of[128];
        const struct outcome *o;

        (void)state;
        assert_non_null(mkdtemp(parent));
        snprintf(directory, sizeof(directory), "%s/out", parent);
        snprintf(link_to, sizeof(link_to), "%s/link", directory);
        snprintf(link_of, sizeof(link_of), "%s/file", directory);
        assert_int_equal(mkdir(directory, 0700), 0);
        assert_int_equal(symlink(parent, link_to), 0);
        assert_int_equal(symlink("../stolen", link_of), 0);
        SERVE(fake, {"submit", RECORD(SHELL VALUE "{\"exitCode\":0,\"files\":{\"../stolen\":\"\",\"/tmp/poppo-stolen\":\"\","
                "\"link/stolen\":\"\",\"file\":\"\",\"a/../../stolen\":\"\",\"..\":\"\",\"\":\"\",\"good\":\"g\"}}")});
        o = RUN("sh", "-n", "--collect", "*", "-o", directory, "x");
        assert_int_equal(o->status, 74);
        assert_non_null(strstr(o->err, "poppo: cannot write ../stolen in "));
        assert_non_null(strstr(o->err, "poppo: cannot write link/stolen in "));
        check_file(directory, "good", "g");
        assert_int_equal(access("/tmp/poppo-stolen", F_OK), -1);
        finish(&fake);
        unlink(link_to);
        unlink(link_of);
        snprintf(link_to, sizeof(link_to), "%s/a", directory);
        rmdir(link_to);
        assert_int_equal(rmdir(directory), 0);
        assert_int_equal(rmdir(parent), 0);
}

/* ---- logs ---- */

#define ID "00000000-0000-7000-8000-000000000001"

static void test_logs_of_a_task_that_has_ended(void **state)
{
        (void)state;
        SERVE(fake, {"result", "{\"result\":{" SHELL VALUE "{\"stdout\":\"o\",\"stderr\":\"e\"},\"logs\":[]}}"});
        check(RUN("logs", ID), 0, "o", "e");
        check(RUN("logs", ID, "--json"), 0, "{\"console\":[],\"stdout\":\"o\",\"stderr\":\"e\"}\n", "");
        finish(&fake);
}

static void test_logs_of_javascript_are_its_console(void **state)
{
        (void)state;
        SERVE(fake, {"result", "{\"result\":{\"type\":\"execute-code\"," VALUE "{\"stdout\":\"no\"},"
                "\"logs\":[{\"text\":\"one\"},{\"text\":\"two\"}]}}"});
        check(RUN("logs", ID), 0, "one\ntwo\n", "");
        finish(&fake);
}

static void test_logs_follow_a_task_to_its_end(void **state)
{
        (void)state;
        SERVE(fake, {"follow", ">1 console \"one\\n\"\n>1 console \"two\\n\"\n{\"state\":\"failed\"}"},
                {"result", "{\"result\":{\"type\":\"execute-code\"," FAILED("TASK_ERROR") "},\"logs\":[{\"text\":\"one\"},"
                "{\"text\":\"two\"}]}}"});
        check(RUN("logs", "-f", ID), 0, "one\ntwo\n", "");
        check(RUN("logs", "-f", "--json", ID), 0,
                "{\"event\":\"output\",\"id\":\"" ID "\",\"attempt\":1,\"stream\":\"console\",\"data\":\"b25lCg==\"}\n"
                "{\"event\":\"output\",\"id\":\"" ID "\",\"attempt\":1,\"stream\":\"console\",\"data\":\"dHdvCg==\"}\n", "");
        finish(&fake);
}

static void test_logs_f_of_a_task_that_had_ended_are_those_of_its_record(void **state)
{
        (void)state;
        SERVE(fake, {"follow", "{\"state\":\"succeeded\"}"}, {"result", "{\"result\":{" SHELL VALUE "{\"stdout\":\"o\"}}}"});
        check(RUN("logs", "-f", ID), 0, "o", "");
        finish(&fake);
}

static void test_logs_of_a_task_that_runs(void **state)
{
        (void)state;
        SERVE(fake, {"result", "{\"result\":{\"state\":\"running\"}}"});
        check(RUN("logs", ID), 75, "", "poppo: the task is running\n       poppo logs -f prints what it writes\n");
        finish(&fake);
}

static void test_logs_of_an_unknown_task(void **state)
{
        (void)state;
        SERVE(fake, {"follow", "{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"no task x\"}}"},
                {"result", "{\"error\":{\"code\":\"NOT_FOUND\",\"message\":\"no task x\"}}"});
        check(RUN("logs", "x"), 1, "", "poppo: NOT_FOUND: no task x\n       poppo list shows the tasks that are known\n");
        check(RUN("logs", "-f", "x"), 1, "", "poppo: NOT_FOUND: no task x\n       poppo list shows the tasks that are known\n");
        finish(&fake);
}

/* ---- why ---- */

static void test_why_tells_what_the_failure_carries(void **state)
{
        (void)state;
        SERVE(fake, {"why", "{\"reason\":\"ended\",\"message\":\"failed at attempt 1 of 1: EXIT_STATUS: status 2\",\"result\":{"
                FAILED("EXIT_STATUS") ",\"data\":{\"exitCode\":2,\"signal\":null,\"truncated\":false,\"stdout\":\"\",\"stderr\":\"a\\nno such file\\n\\n\","
                "\"files\":{}}},\"attempts\":[]}}"});
        check(RUN("why", ID), 0, "failed at attempt 1 of 1: EXIT_STATUS: status 2\nexitCode: 2\nstderr: no such file\n", "");
        finish(&fake);
}

static void test_why_leaves_the_data_of_a_tasks_own_error_alone(void **state)
{
        (void)state;
        SERVE(fake, {"why", "{\"reason\":\"ended\",\"message\":\"failed\",\"result\":{" FAILED("TASK_ERROR")
                ",\"data\":{\"a\":2}},\"attempts\":[]}}"});
        check(RUN("why", ID), 0, "failed\n", "");
        finish(&fake);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_module_calls_an_export_with_json_arguments),
                cmocka_unit_test(test_run_is_for_code_and_for_handlers_of_ones_own),
                cmocka_unit_test(test_http_sends_what_curl_would),
                cmocka_unit_test(test_http_prints_the_body_of_an_error_too),
                cmocka_unit_test(test_http_that_is_refused_has_its_own_status),
                cmocka_unit_test(test_sh_sends_the_command_with_all_that_is_around_it),
                cmocka_unit_test(test_sh_usage),
                cmocka_unit_test(test_sh_hands_on_output_and_status),
                cmocka_unit_test(test_sh_killed_by_a_signal),
                cmocka_unit_test(test_sh_whose_command_never_ran),
                cmocka_unit_test(test_sh_whose_command_cannot_be_run_says_so),
                cmocka_unit_test(test_sh_of_a_shell_that_says_it_itself),
                cmocka_unit_test(test_sh_prints_from_the_record_what_was_not_pushed),
                cmocka_unit_test(test_sh_prints_output_as_it_comes_and_is_interrupted),
                cmocka_unit_test(test_sh_stops_when_nobody_takes_its_output),
                cmocka_unit_test(test_commands_do_not_steer_the_terminal),
                cmocka_unit_test(test_a_control_character_in_two_pieces_does_not_steer_it),
                cmocka_unit_test(test_collected_files_are_put_into_the_directory),
                cmocka_unit_test(test_collected_files_stay_inside_of_the_directory),
                cmocka_unit_test(test_logs_of_a_task_that_has_ended),
                cmocka_unit_test(test_logs_of_javascript_are_its_console),
                cmocka_unit_test(test_logs_follow_a_task_to_its_end),
                cmocka_unit_test(test_logs_f_of_a_task_that_had_ended_are_those_of_its_record),
                cmocka_unit_test(test_logs_of_a_task_that_runs),
                cmocka_unit_test(test_logs_of_an_unknown_task),
                cmocka_unit_test(test_why_tells_what_the_failure_carries),
                cmocka_unit_test(test_why_leaves_the_data_of_a_tasks_own_error_alone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
