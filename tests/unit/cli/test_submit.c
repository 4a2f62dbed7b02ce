/* poppo submit: one document, many, a slow pipe, and what goes wrong with each. */
#include "run_poppo.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID "00000000-0000-7000-8000-000000000001"

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

static void test_submit_tells_what_came_before_a_line_too_long(void **state)
{
        static const char first[] = "{\"type\":\"a\"}\n";
        enum { TOO_LONG = 17 * 1024 * 1024 };
        char *input = malloc(TOO_LONG);

        (void)state;
        SERVE(fake, {"none", NULL});
        memset(input, ' ', TOO_LONG);
        memcpy(input, first, sizeof(first) - 1);
        input[TOO_LONG - 1] = '\0';
        check(RUN_WITH(input, "submit", "-"), 65, ID "\n", "poppo: cannot read line 2: it is too long\n");
        free(input);
        finish(&fake);
}

static void test_submit_option_that_is_not_utf8(void **state)
{
        (void)state;
        SERVE(fake, {"none", NULL});
        check(RUN_WITH("{\"type\":\"a\"}", "submit", "-p", "\xff", "-"), 65, "",
                "poppo: standard input: an option is not UTF-8\n");
        check(RUN("run", "-p", "\xff", "-e", "1"), 65, "", "poppo: the type or an option is not UTF-8\n");
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

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_submit_one_document),
                cmocka_unit_test(test_submit_bad_documents),
                cmocka_unit_test(test_submit_many_keeps_the_order),
                cmocka_unit_test(test_submit_many_with_bad_lines),
                cmocka_unit_test(test_submit_many_refused),
                cmocka_unit_test(test_submit_tells_what_came_before_a_line_too_long),
                cmocka_unit_test(test_submit_option_that_is_not_utf8),
                cmocka_unit_test(test_submit_answers_a_slow_pipe_at_once),
                cmocka_unit_test(test_submit_loses_the_connection),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
