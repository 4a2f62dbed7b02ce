/* The end of a long text, however it came. */
#include "worker/program/tail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct tail tail;
static int out;

static int set_up(void **state)
{
        (void)state;
        return tail_open(&tail, &out);
}

static int tear_down(void **state)
{
        (void)state;
        if (out >= 0)
                close(out);
        if (tail.fd >= 0)
                close(tail.fd);
        return 0;
}

static void put(const char *text, size_t len)
{
        assert_int_equal(write(out, text, len), len);
        tail_read(&tail);
}

static void what_is_short_is_kept_whole(void **state)
{
        (void)state;
        assert_string_equal(tail_text(&tail), "");
        put("\n  one\n", 7);
        put("two \n", 5);
        assert_string_equal(tail_text(&tail), "one\ntwo");
        tail_read(&tail); /* nothing is there: it does not wait */
        assert_string_equal(tail_text(&tail), "one\ntwo");
}

static void of_what_is_long_the_end_is_kept(void **state)
{
        static const size_t pieces[] = {1, 7, 100, TAIL_BYTES - 1, TAIL_BYTES, TAIL_BYTES + 1, 4096};
        char text[8192];

        (void)state;
        for (size_t i = 0; i < sizeof(text); i++)
                text[i] = (char)('a' + i % 23);
        for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
                size_t at = 0;

                tail.len = 0;
                for (; at + pieces[p] <= sizeof(text); at += pieces[p])
                        put(text + at, pieces[p]);
                assert_int_equal(strlen(tail_text(&tail)), TAIL_BYTES);
                assert_memory_equal(tail_text(&tail), text + at - TAIL_BYTES, TAIL_BYTES);
        }
}

static void a_nul_does_not_hide_what_follows(void **state)
{
        (void)state;
        put("a\0b", 3);
        assert_string_equal(tail_text(&tail), "a b");
}

static void it_closes_at_the_end(void **state)
{
        (void)state;
        put("x", 1);
        close(out);
        out = -1;
        tail_read(&tail);
        assert_int_equal(tail.fd, -1);
        assert_string_equal(tail_text(&tail), "x");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(what_is_short_is_kept_whole),
                T(of_what_is_long_the_end_is_kept),
                T(a_nul_does_not_hide_what_follows),
                T(it_closes_at_the_end),
        };

        return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
