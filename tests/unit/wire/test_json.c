/* JSON to MessagePack and back: the conversions that poppo.h promises. */
#include "wire/cursor.h"
#include "wire/json.h"
#include "wire/message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_written(const char *packed, size_t len, const char *expected)
{
        struct buf out;

        buf_init(&out, 0);
        assert_int_equal(wire_check((struct bytes){(const uint8_t *)packed, len}), 0);
        assert_int_equal(json_from_msgpack((struct bytes){(const uint8_t *)packed, len}, &out), 0);
        assert_int_equal(buf_append(&out, "", 1), 0);
        assert_string_equal((char *)buf_head(&out), expected);
        buf_fini(&out);
}

#define WRITES(packed, expected) check_written(packed, sizeof(packed) - 1, expected)

static void test_writes_every_type(void **state)
{
        (void)state;
        WRITES("\xc0", "null");
        WRITES("\xc2", "false");
        WRITES("\xc3", "true");
        WRITES("\x7f", "127");
        WRITES("\xff", "-1");
        WRITES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615");
        WRITES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00", "-9223372036854775808");
        WRITES("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1");
        WRITES("\xcb\x3f\xd3\x33\x33\x33\x33\x33\x34", "0.30000000000000004");
        WRITES("\xca\x3f\xc0\x00\x00", "1.5");
        WRITES("\xcb\x80\x00\x00\x00\x00\x00\x00\x00", "-0");
        WRITES("\xa5hello", "\"hello\"");
        WRITES("\x93\x01\x92\x02\x03\x90", "[1,[2,3],[]]");
        WRITES("\x82\xa1" "a\x01\xa1" "b\x80", "{\"a\":1,\"b\":{}}");
}

static void test_what_json_does_not_have(void **state)
{
        (void)state;
        WRITES("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", "null");
        WRITES("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "null");
        WRITES("\xc4\x00", "\"\"");
        WRITES("\xc4\x01\xff", "\"/w==\"");
        WRITES("\xc4\x02\xff\x00", "\"/wA=\"");
        WRITES("\xc4\x03" "abc", "\"YWJj\"");
        WRITES("\x81\x01\x02", "{\"1\":2}");
        WRITES("\x81\x91\xa1" "a\x02", "{\"[\\\"a\\\"]\":2}");
        WRITES("\xd4\x05\xff", "{\"type\":5,\"data\":\"/w==\"}");
}

static void test_timestamps(void **state)
{
        (void)state;
        WRITES("\xd6\xff\x00\x00\x00\x00", "\"1970-01-01T00:00:00.000Z\"");
        WRITES("\xd7\xff\x1d\xcd\x65\x00\x00\x00\x00\x01", "\"1970-01-01T00:00:01.125Z\"");
        WRITES("\xc7\x0c\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", "\"1969-12-31T23:59:59.000Z\"");
        WRITES("\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x00", "\"+010680-07-14T06:09:04.000Z\"");
        /* Not a time: a length that has no meaning, too many nanoseconds, a year that no struct tm holds. */
        WRITES("\xd4\xff\x01", "{\"type\":-1,\"data\":\"AQ==\"}");
        WRITES("\xd7\xff\xff\xff\xff\xff\xff\xff\xff\xff", "{\"type\":-1,\"data\":\"//////////8=\"}");
        WRITES("\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff",
                "{\"type\":-1,\"data\":\"AAAAAH//////////\"}");
}

/* The last year that a struct tm holds would overflow where 1900 is added; JavaScript's Dates end long before. */
static void test_timestamps_beyond_any_date(void **state)
{
        (void)state;
        WRITES("\xc7\x0c\xff\x00\x00\x00\x00\x00\xf0\xc2\xab\x7c\x54\xa9\x7f",
                "{\"type\":-1,\"data\":\"AAAAAADwwqt8VKl/\"}");
        WRITES("\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x07\xdb\xa8\x21\x80\x00", "\"+275760-09-13T00:00:00.000Z\"");
        WRITES("\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x07\xdb\xa8\x21\x80\x01",
                "{\"type\":-1,\"data\":\"AAAAAAAAB9uoIYAB\"}");
}

/* {{...{1: 2}: 2}: 2}, thirty deep: as strings in strings it would be gigabytes. */
static void test_keys_within_keys_do_not_explode(void **state)
{
        struct bytes value;
        uint8_t bytes[61];
        struct buf out;

        (void)state;
        memset(bytes, 0x81, 30);
        memset(bytes + 30, 2, 31);
        value = (struct bytes){bytes, sizeof(bytes)};
        buf_init(&out, 200);
        assert_int_equal(json_from_msgpack(value, &out), 0);
        buf_fini(&out);
        WRITES("\x81\x91\x01\x02", "{\"[1]\":2}");
        WRITES("\x81\x81\x01\x02\x03", "{\"{\\\"AQ==\\\":2}\":3}");
}

static void test_strings_are_escaped(void **state)
{
        (void)state;
        WRITES("\xa8\"\\\b\f\n\r\t\x01", "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\"");
        WRITES("\xa1\x7f", "\"\\u007f\"");
        WRITES("\xa1\x00", "\"\\u0000\"");
        WRITES("\xa4\xc2\x9b\xc2\xa0", "\"\\u009b\xc2\xa0\"");
        WRITES("\xa9\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

#define BAD "\xef\xbf\xbd"

static void test_bytes_that_are_no_utf8(void **state)
{
        (void)state;
        WRITES("\xa1\xff", "\"" BAD "\"");
        WRITES("\xa3\x80" "a\xc3", "\"" BAD "a" BAD "\"");
        WRITES("\xa2\xc0\xaf", "\"" BAD BAD "\"");
        WRITES("\xa3\xed\xa0\x80", "\"" BAD BAD BAD "\"");
        WRITES("\xa4\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\"");
}

static void test_bound_of_the_output(void **state)
{
        struct buf out;

        (void)state;
        buf_init(&out, 4);
        assert_int_equal(json_from_msgpack((struct bytes){(const uint8_t *)"\xa5hello", 6}, &out), -ENOBUFS);
        buf_fini(&out);
}

/* ---- the other way ---- */

static void check_read(const char *text, const char *expected, size_t len)
{
        char why[JSON_WHY_MAX];
        struct buf out;

        buf_init(&out, 0);
        assert_int_equal(json_to_msgpack(wire_str(text), WIRE_DEPTH_MAX, &out, why), 0);
        assert_int_equal(buf_size(&out), len);
        assert_memory_equal(buf_head(&out), expected, len);
        buf_fini(&out);
}

#define READS(text, expected) check_read(text, expected, sizeof(expected) - 1)

static void test_reads_every_type(void **state)
{
        (void)state;
        READS("null", "\xc0");
        READS(" true ", "\xc3");
        READS("1", "\x01");
        READS("-1", "\xff");
        READS("1.0", "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00");
        READS("9223372036854775807", "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff");
        READS("\"a\\u0000b\"", "\xa3" "a\0b");
        READS("[1,{\"a\":[]}]", "\x92\x01\x81\xa1" "a\x90");
}

static void test_integers_beyond_64_bits(void **state)
{
        (void)state;
        READS("18446744073709551616", "\xcb\x43\xf0\x00\x00\x00\x00\x00\x00");
        READS("[1,18446744073709551616]", "\x92\x01\xcb\x43\xf0\x00\x00\x00\x00\x00\x00");
}

static void check_refused_with(int error, struct bytes text, unsigned int depth_max, const char *sentence)
{
        char why[JSON_WHY_MAX];
        struct buf out;

        buf_init(&out, 0);
        assert_int_equal(json_to_msgpack(text, depth_max, &out, why), error);
        assert_non_null(strstr(why, sentence));
        buf_fini(&out);
}

static void check_refused(const char *text, const char *sentence)
{
        check_refused_with(-EINVAL, wire_str(text), WIRE_DEPTH_MAX, sentence);
}

static void test_refusals(void **state)
{
        (void)state;
        check_refused("", "line 1");
        check_refused("{\"a\":1,\"a\":2}", "duplicate");
        check_refused("[1,\n2,]", "line 2, column");
        check_refused("1 2", "line 1");
        check_refused("NaN", "line 1");
        check_refused_with(-EINVAL, (struct bytes){(const uint8_t *)"1\0", 2}, WIRE_DEPTH_MAX, "NUL");
        check_refused_with(-E2BIG, wire_str("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"), WIRE_DEPTH_MAX,
                "nest deeper than 32");
        check_refused_with(-E2BIG, wire_str("{\"a\":[1]}"), 1, "nest deeper than 1");
        READS("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
                "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
                "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x01");
}

static void test_there_and_back(void **state)
{
        static const char *const texts[] = {
                "{\"a\":[1,-2,3.5,null,true,\"x\"],\"b\":{\"c\":{}}}", "1e-07", "1.7976931348623157e+308",
                "123456789012345.67", "[\"\\u0000\\u001f\"]",
        };

        (void)state;
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
                char why[JSON_WHY_MAX];
                struct buf packed;

                buf_init(&packed, 0);
                assert_int_equal(json_to_msgpack(wire_str(texts[i]), WIRE_DEPTH_MAX, &packed, why), 0);
                check_written((const char *)buf_head(&packed), buf_size(&packed), texts[i]);
                buf_fini(&packed);
        }
}

/* ---- bytes in place of strings ---- */

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_writes_every_type),
                cmocka_unit_test(test_what_json_does_not_have),
                cmocka_unit_test(test_timestamps),
                cmocka_unit_test(test_timestamps_beyond_any_date),
                cmocka_unit_test(test_keys_within_keys_do_not_explode),
                cmocka_unit_test(test_strings_are_escaped),
                cmocka_unit_test(test_bytes_that_are_no_utf8),
                cmocka_unit_test(test_bound_of_the_output),
                cmocka_unit_test(test_reads_every_type),
                cmocka_unit_test(test_integers_beyond_64_bits),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_there_and_back),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
