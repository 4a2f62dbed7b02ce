/* Durations and sizes: what is accepted, what is refused and how, and that the texts written are read back. */
#include "base/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_durations(void **state)
{
        static const struct {
                const char *text;
                int64_t ms;
        } good[] = {{"0", 0}, {"1500", 1500}, {"100ms", 100}, {"60s", 60000}, {"5m", 300000}, {"1h", 3600000},
                {"2d", 172800000}, {"007s", 7000}, {"9223372036854775807", INT64_MAX}};

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
                int64_t ms = -1;

                assert_int_equal(units_parse_ms(good[i].text, &ms), 0);
                assert_int_equal(ms, good[i].ms);
        }
}

static void test_sizes(void **state)
{
        static const struct {
                const char *text;
                int64_t bytes;
        } good[] = {{"512", 512}, {"512B", 512}, {"1KiB", 1024}, {"64MiB", 67108864}, {"10MB", 10000000},
                {"3KB", 3000}, {"1GiB", 1073741824}, {"1GB", 1000000000}, {"1TiB", INT64_C(1099511627776)},
                {"1TB", INT64_C(1000000000000)}};

        (void)state;
        for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
                int64_t bytes = -1;

                assert_int_equal(units_parse_bytes(good[i].text, &bytes), 0);
                assert_int_equal(bytes, good[i].bytes);
        }
}

static void test_refusals(void **state)
{
        static const char *const bad[] = {"", "s", "-1s", "+1s", " 1s", "1 s", "1.5s", "1S", "1sec", "0x10", "1s2", "1e3"};
        static const char *const huge[] = {"9223372036854775808", "99999999999999999999", "9223372036854775807s"};
        int64_t out = 42;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                assert_int_equal(units_parse_ms(bad[i], &out), UNITS_INVALID);
                assert_int_equal(units_parse_bytes(bad[i], &out), UNITS_INVALID);
        }
        for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++)
                assert_int_equal(units_parse_ms(huge[i], &out), UNITS_OVERFLOW);
        assert_int_equal(units_parse_bytes("8388608TiB", &out), UNITS_OVERFLOW);
        assert_int_equal(units_parse_ms("1MiB", &out), UNITS_INVALID);
        assert_int_equal(units_parse_bytes("1ms", &out), UNITS_INVALID);
        assert_int_equal(out, 42);
}

static void test_formats(void **state)
{
        static const struct {
                int64_t ms;
                const char *text;
        } times[] = {{0, "0ms"}, {1, "1ms"}, {1500, "1500ms"}, {90000, "90s"}, {3600000, "1h"}, {86400000, "1d"}};
        static const struct {
                int64_t bytes;
                const char *text;
        } sizes[] = {{0, "0B"}, {1000, "1000B"}, {1536, "1536B"}, {1048576, "1MiB"}, {INT64_C(3) << 40, "3TiB"}};
        char text[UNITS_TEXT];

        (void)state;
        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
                units_format_ms(times[i].ms, text);
                assert_string_equal(text, times[i].text);
        }
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                units_format_bytes(sizes[i].bytes, text);
                assert_string_equal(text, sizes[i].text);
        }
}

static void test_round_trip(void **state)
{
        (void)state;
        srand(3);
        for (int i = 0; i < 20000; i++) {
                int64_t value = (int64_t)rand() << (rand() % 32), back = -1;
                char text[UNITS_TEXT];

                units_format_ms(value, text);
                assert_int_equal(units_parse_ms(text, &back), 0);
                assert_int_equal(back, value);
                units_format_bytes(value, text);
                assert_int_equal(units_parse_bytes(text, &back), 0);
                assert_int_equal(back, value);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_durations),
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_formats),
                cmocka_unit_test(test_round_trip),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
