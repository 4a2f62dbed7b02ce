/* The log: one whole line an event, in the asked form, and nothing in it that a task's text could use. */
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];
static char line[8192];

static int open_pipe(void **state)
{
        (void)state;
        assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
        log_open("tester");
        log_set_level(LOG_INFO);
        log_set_format(LOG_FORMAT_TEXT);
        log_set_fd(ends[1]);
        return 0;
}

static int close_pipe(void **state)
{
        (void)state;
        assert_int_equal(log_set_fd(STDERR_FILENO), ends[1]);
        close(ends[0]);
        close(ends[1]);
        return 0;
}

/* What one write brought; "" for nothing. */
static const char *logged(void)
{
        ssize_t n = read(ends[0], line, sizeof(line) - 1);

        line[n > 0 ? n : 0] = 0;
        return line;
}

static void test_text(void **state)
{
        (void)state;
        log_warn("worker-lost", "worker %d", 7);
        logged();
        assert_int_equal(line[4], '-');
        assert_int_equal(line[10], 'T');
        assert_string_equal(strchr(line, ' '), " warn  tester: worker-lost: worker 7\n");
}

static void test_json_says_the_same(void **state)
{
        json_t *j;

        (void)state;
        log_set_format(LOG_FORMAT_JSON);
        log_error("bad", "quote \" backslash \\ newline \n bell \a é");
        j = json_loads(logged(), 0, NULL);
        assert_non_null(j);
        assert_string_equal(json_string_value(json_object_get(j, "level")), "error");
        assert_string_equal(json_string_value(json_object_get(j, "role")), "tester");
        assert_string_equal(json_string_value(json_object_get(j, "event")), "bad");
        assert_string_equal(json_string_value(json_object_get(j, "message")),
                "quote \" backslash \\ newline \n bell \a é");
        json_decref(j);
}

static void test_auto_is_json_off_a_terminal(void **state)
{
        (void)state;
        log_set_format(LOG_FORMAT_AUTO);
        log_info("x", "y");
        assert_int_equal(logged()[0], '{');
}

static void test_levels(void **state)
{
        (void)state;
        log_debug("quiet", "not seen");
        assert_string_equal(logged(), "");
        log_set_level(LOG_DEBUG);
        log_debug("loud", "seen");
        assert_non_null(strstr(logged(), "loud"));
        log_set_level(LOG_ERROR);
        log_warn("quiet", "not seen");
        assert_string_equal(logged(), "");
        assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
        assert_int_equal(log_level_parse("verbose"), -1);
}

static void test_text_has_no_control_bytes(void **state)
{
        (void)state;
        log_info("evil", "a\x1b[31mb\nforged");
        assert_non_null(strstr(logged(), "a\\x1b[31mb\\x0aforged\n"));
        assert_null(strchr(line, '\x1b'));
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void test_long_line_is_cut_and_still_a_line(void **state)
{
        char text[6000];
        json_t *j;

        (void)state;
        memset(text, '\n', sizeof(text));
        text[sizeof(text) - 1] = 0;
        log_set_format(LOG_FORMAT_JSON);
        log_info("long", "%s", text);
        j = json_loads(logged(), 0, NULL);
        assert_non_null(j);
        assert_non_null(strstr(json_string_value(json_object_get(j, "message")), "[cut]"));
        json_decref(j);
}

/* A long text without anything to escape must say that it was cut too. */
static void test_long_plain_line_says_cut(void **state)
{
        char text[6000];

        (void)state;
        memset(text, 'x', sizeof(text));
        text[sizeof(text) - 1] = 0;
        log_info("long", "%s", text);
        assert_non_null(strstr(logged(), "[cut]\n"));
}

static void test_cut_splits_no_character(void **state)
{
        char text[6000];

        (void)state;
        log_set_format(LOG_FORMAT_JSON);
        for (size_t shift = 0; shift < 8; shift++) {
                json_t *j;

                /* Plain text is cut by the first bound; with quotes to escape, by the second. */
                memset(text, 'x', shift);
                for (size_t i = shift; i + 3 < sizeof(text); i += 3)
                        memcpy(text + i, shift % 2 ? "\xc3\xa9\"" : "\xe2\x82\xac", 3);
                text[sizeof(text) - 3] = 0;
                log_info("long", "%s", text);
                j = json_loads(logged(), 0, NULL);
                assert_non_null(j);
                json_decref(j);
        }
}

static void test_broken_characters(void **state)
{
        json_t *j;

        (void)state;
        log_info("evil", "%s", "a\xff" "b\xc3\xa9" "c\xc0\x80" "d\xed\xa0\x80" "e\xf0\x9f\x98\x80" "f\xe2\x82");
        assert_non_null(strstr(logged(), "a\\xffb\xc3\xa9" "c\\xc0\\x80d\\xed\\xa0\\x80e\xf0\x9f\x98\x80" "f\\xe2\\x82\n"));
        log_set_format(LOG_FORMAT_JSON);
        log_info("evil", "%s", "a\xff" "b\xc3\xa9" "c\xe2\x82");
        j = json_loads(logged(), 0, NULL);
        assert_non_null(j);
        assert_string_equal(json_string_value(json_object_get(j, "message")), "a\xef\xbf\xbd" "b\xc3\xa9"
                "c\xef\xbf\xbd\xef\xbf\xbd");
        json_decref(j);
}

static void test_errno_survives(void **state)
{
        (void)state;
        errno = EXDEV;
        log_info("x", "y");
        assert_int_equal(errno, EXDEV);
        close(ends[0]);
        ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        log_set_fd(-1);
        log_info("x", "nobody hears it");
        assert_int_equal(errno, EXDEV);
        log_set_fd(ends[1]);
}

static void test_origin_traces_failures_only(void **state)
{
        (void)state;
        log_set_level(LOG_DEBUG);
        assert_int_equal(error_origin(0), 0);
        assert_int_equal(error_origin(3), 3);
        assert_string_equal(logged(), "");
        assert_int_equal(error_origin(-ENOENT), -ENOENT);
        assert_non_null(strstr(logged(), "error: No such file or directory ("));
        assert_non_null(strstr(line, "test_log.c:"));
}

#define with_pipe(test) cmocka_unit_test_setup_teardown(test, open_pipe, close_pipe)

int main(void)
{
        const struct CMUnitTest tests[] = {
                with_pipe(test_text),
                with_pipe(test_json_says_the_same),
                with_pipe(test_auto_is_json_off_a_terminal),
                with_pipe(test_levels),
                with_pipe(test_text_has_no_control_bytes),
                with_pipe(test_long_line_is_cut_and_still_a_line),
                with_pipe(test_long_plain_line_says_cut),
                with_pipe(test_cut_splits_no_character),
                with_pipe(test_broken_characters),
                with_pipe(test_errno_survives),
                with_pipe(test_origin_traces_failures_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
