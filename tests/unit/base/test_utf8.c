/* UTF-8: what is a character, what is none, and that repairing leaves nothing else. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_characters_have_their_length(void **state)
{
        (void)state;
        assert_int_equal(utf8_character("a"), 1);
        assert_int_equal(utf8_character("\xc3\xa9"), 2);
        assert_int_equal(utf8_character("\xe2\x82\xac"), 3);
        assert_int_equal(utf8_character("\xf0\x9f\x98\x80"), 4);
        assert_int_equal(utf8_character("\xf4\x8f\xbf\xbf"), 4);
}

static void test_everything_else_is_none(void **state)
{
        static const char *const bad[] = {"", "\x80", "\xc1\x81", "\xc3", "\xc3(", "\xe0\x9f\xbf", "\xed\xa0\x80",
                "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"};

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                assert_int_equal(utf8_character(bad[i]), 0);
}

static void test_repair(void **state)
{
        char cut[] = "caf\xc3\xa9 \xe2\x82", broken[] = "\xff" "a\xc3(", good[] = "\xf0\x9f\x98\x80";

        (void)state;
        utf8_repair(cut);
        assert_string_equal(cut, "caf\xc3\xa9 ??");
        utf8_repair(broken);
        assert_string_equal(broken, "?a?(");
        utf8_repair(good);
        assert_string_equal(good, "\xf0\x9f\x98\x80");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_characters_have_their_length),
                cmocka_unit_test(test_everything_else_is_none),
                cmocka_unit_test(test_repair),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
