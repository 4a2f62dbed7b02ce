/* Identifiers: never twice, always growing, readable back, and of the version that they claim. */
#include "base/clock.h"
#include "base/uuid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_strictly_growing(void **state)
{
        struct uuid last = uuid_new();

        (void)state;
        /* More than 4096 within a millisecond: the counter overflows into the time. */
        for (int i = 0; i < 200000; i++) {
                struct uuid id = uuid_new();

                assert_true(memcmp(last.bytes, id.bytes, sizeof(id.bytes)) < 0);
                last = id;
        }
}

static void test_version_variant_and_time(void **state)
{
        int64_t before = clock_wall_ms(), ms = 0;
        struct uuid id = uuid_new();

        (void)state;
        assert_int_equal(id.bytes[6] >> 4, 7);
        assert_int_equal(id.bytes[8] >> 6, 2);
        for (int i = 0; i < 6; i++)
                ms = ms << 8 | id.bytes[i];
        /* The test before may have driven the identifiers' time ahead of the clock, by a millisecond each 4096. */
        assert_in_range(ms, before, clock_wall_ms() + 200000 / 4096 + 1);
}

static void test_text_and_back(void **state)
{
        (void)state;
        for (int i = 0; i < 1000; i++) {
                struct uuid id = uuid_new(), back;
                char text[UUID_TEXT + 1];

                uuid_format(&id, text);
                assert_int_equal(strlen(text), UUID_TEXT);
                assert_true(uuid_parse(text, UUID_TEXT, &back));
                assert_memory_equal(id.bytes, back.bytes, sizeof(id.bytes));
        }
}

static void test_known_text(void **state)
{
        static const char text[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        static const char upper[] = "017F22E2-79B0-7CC3-98C4-DC0C0C07398F";
        static const uint8_t bytes[16] = {0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7c, 0xc3, 0x98, 0xc4, 0xdc, 0x0c, 0x0c,
                0x07, 0x39, 0x8f};
        struct uuid id;
        char out[UUID_TEXT + 1];

        (void)state;
        assert_true(uuid_parse(text, UUID_TEXT, &id));
        assert_memory_equal(id.bytes, bytes, sizeof(bytes));
        uuid_format(&id, out);
        assert_string_equal(out, text);
        assert_true(uuid_parse(upper, UUID_TEXT, &id));
        assert_memory_equal(id.bytes, bytes, sizeof(bytes));
}

static void test_refuses_every_single_wrong_character(void **state)
{
        static const char good[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        static const char wrong[] = {'g', ' ', '-', 'x', '\0', '\r', '@', '`', (char)0x10, (char)0x90};
        struct uuid id;

        (void)state;
        assert_false(uuid_parse(good, UUID_TEXT - 1, &id));
        assert_false(uuid_parse("", 0, &id));
        for (size_t i = 0; i < UUID_TEXT; i++)
                for (size_t k = 0; k < sizeof(wrong); k++) {
                        char text[UUID_TEXT + 1];

                        memcpy(text, good, sizeof(text));
                        if (text[i] == wrong[k])
                                continue;
                        text[i] = wrong[k];
                        assert_false(uuid_parse(text, UUID_TEXT, &id));
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_strictly_growing),
                cmocka_unit_test(test_version_variant_and_time),
                cmocka_unit_test(test_text_and_back),
                cmocka_unit_test(test_known_text),
                cmocka_unit_test(test_refuses_every_single_wrong_character),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
