/* poppo_pack(): JSON with raw bytes where it has strings. */
#include "poppo/poppo.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

static void test_bytes_stand_in_place_of_strings(void **state)
{
        static const struct poppo_raw bytes[] = {{"/a~1b/1", "\xff\0", 2}, {"/s", "", 0}};
        struct poppo *p;
        void *out;
        size_t len;

        (void)state;
        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_pack(p, "{\"a/b\":[\"\",\"\"],\"s\":\"gone\"}", bytes, 2, &out, &len), 0);
        assert_int_equal(len, 15);
        assert_memory_equal(out, "\x82\xa3" "a/b" "\x92\xa0\xc4\x02\xff\0" "\xa1s\xc4", 15);
        free(out);
        poppo_free(p);
}

static void test_bytes_need_a_string_in_their_place(void **state)
{
        static const char *const pointers[] = {"", "/", "/x", "/a/2", "/a/0", "/a", "s", "/s/", "/s/x"};
        struct poppo *p;
        void *out;
        size_t len;

        (void)state;
        assert_int_equal(poppo_new(&p), 0);
        for (size_t i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
                struct poppo_raw bytes = {pointers[i], "x", 1};

                assert_int_equal(poppo_pack(p, "{\"a\":[0,\"\"],\"s\":\"\"}", &bytes, 1, &out, &len), -EINVAL);
                assert_null(out);
        }
        assert_string_equal(poppo_error_message(p), "there is no string at /s/x");
        assert_int_equal(poppo_pack(p, "{", NULL, 0, &out, &len), -EINVAL);
        poppo_free(p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bytes_stand_in_place_of_strings),
                cmocka_unit_test(test_bytes_need_a_string_in_their_place),
        };

        return cmocka_run_group_tests_name("client/pack", tests, NULL, NULL);
}
