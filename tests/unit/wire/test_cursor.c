/* The MessagePack reader against hostile bytes. Every input lies in a heap block of exactly its size, so that a
 * sanitizer or valgrind sees a read behind the end. */
#include "wire/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define CHECK_TEXT(text) check(text, sizeof(text) - 1)

static int check(const char *data, size_t n)
{
        uint8_t *exact = malloc(n ? n : 1);
        int r;

        assert_non_null(exact);
        memcpy(exact, data, n);
        r = wire_check((struct bytes){exact, n});
        free(exact);
        return r;
}

static struct wire_value read_one(const char *data, size_t n)
{
        struct cursor c = {(const uint8_t *)data, (const uint8_t *)data + n};
        struct wire_value v = {0};

        assert_int_equal(cursor_read(&c, &v), 0);
        assert_true(cursor_done(&c));
        return v;
}

/* What follows each head byte: bytes of the length or number, and the kind of value. Written from MessagePack's own
 * specification, not from the reader. */
struct head_rule {
        uint8_t first, last;
        enum wire_tag tag;
        uint8_t fixed;  /* bytes that always follow the head */
        uint8_t length; /* of which the first `length` bytes are a size or count */
};

static const struct head_rule rules[] = {
        {0x00, 0x7f, TAG_UINT, 0, 0}, {0x80, 0x8f, TAG_MAP, 0, 0},   {0x90, 0x9f, TAG_ARRAY, 0, 0},
        {0xa0, 0xbf, TAG_STR, 0, 0},  {0xc0, 0xc0, TAG_NIL, 0, 0},   {0xc2, 0xc3, TAG_BOOL, 0, 0},
        {0xc4, 0xc4, TAG_BIN, 1, 1},  {0xc5, 0xc5, TAG_BIN, 2, 2},   {0xc6, 0xc6, TAG_BIN, 4, 4},
        {0xc7, 0xc7, TAG_EXT, 2, 1},  {0xc8, 0xc8, TAG_EXT, 3, 2},   {0xc9, 0xc9, TAG_EXT, 5, 4},
        {0xca, 0xca, TAG_FLOAT, 4, 0}, {0xcb, 0xcb, TAG_FLOAT, 8, 0}, {0xcc, 0xcc, TAG_UINT, 1, 0},
        {0xcd, 0xcd, TAG_UINT, 2, 0}, {0xce, 0xce, TAG_UINT, 4, 0},  {0xcf, 0xcf, TAG_UINT, 8, 0},
        {0xd0, 0xd0, TAG_UINT, 1, 0}, {0xd1, 0xd1, TAG_UINT, 2, 0},  {0xd2, 0xd2, TAG_UINT, 4, 0},
        {0xd3, 0xd3, TAG_UINT, 8, 0}, {0xd4, 0xd4, TAG_EXT, 2, 0},   {0xd5, 0xd5, TAG_EXT, 3, 0},
        {0xd6, 0xd6, TAG_EXT, 5, 0},  {0xd7, 0xd7, TAG_EXT, 9, 0},   {0xd8, 0xd8, TAG_EXT, 17, 0},
        {0xd9, 0xd9, TAG_STR, 1, 1},  {0xda, 0xda, TAG_STR, 2, 2},   {0xdb, 0xdb, TAG_STR, 4, 4},
        {0xdc, 0xdc, TAG_ARRAY, 2, 2}, {0xdd, 0xdd, TAG_ARRAY, 4, 4}, {0xde, 0xde, TAG_MAP, 2, 2},
        {0xdf, 0xdf, TAG_MAP, 4, 4},  {0xe0, 0xff, TAG_INT, 0, 0},
};

static const struct head_rule *rule_of(unsigned int head)
{
        for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
                if (head >= rules[i].first && head <= rules[i].last)
                        return &rules[i];
        return NULL;
}

/* With zeros behind it, a head asks for its fixed part and for what a short head counts in its own bits. */
static size_t bytes_behind(const struct head_rule *rule, unsigned int head)
{
        size_t bits = head & (rule->tag == TAG_STR ? 0x1fu : 0x0fu);

        if (rule->fixed || head >= 0xc0)
                return rule->fixed;
        return rule->tag == TAG_MAP ? 2 * bits : rule->tag == TAG_UINT ? 0 : bits;
}

static void test_every_head_byte(void **state)
{
        (void)state;
        for (unsigned int head = 0; head < 256; head++) {
                const struct head_rule *rule = rule_of(head);
                char data[64] = {(char)head};
                struct cursor c = {(uint8_t *)data, (uint8_t *)data + sizeof(data)};
                struct wire_value v;
                size_t need;

                if (!rule) {
                        assert_int_equal(head, 0xc1);
                        assert_int_equal(cursor_read(&c, &v), CURSOR_INVALID);
                        continue;
                }
                assert_int_equal(cursor_read(&c, &v), 0);
                assert_int_equal(v.tag, rule->tag);
                need = bytes_behind(rule, head);
                assert_int_equal(check(data, 1 + need), 0);
                assert_int_equal(check(data, 2 + need), CURSOR_INVALID);
                for (size_t n = 0; n <= need; n++)
                        assert_in_range(check(data, n), CURSOR_TRUNCATED, CURSOR_COUNT);
        }
}

static void test_numbers_at_their_edges(void **state)
{
        (void)state;
        assert_true(read_one("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9).uint == UINT64_MAX);
        assert_int_equal(read_one("\xd0\x80", 2).sint, -128);
        assert_int_equal(read_one("\xd1\x80\x00", 3).sint, -32768);
        assert_true(read_one("\xd2\x80\x00\x00\x00", 5).sint == INT32_MIN);
        assert_true(read_one("\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9).sint == INT64_MIN);
        assert_int_equal(read_one("\xd1\xff\xff", 3).sint, -1);
        assert_int_equal(read_one("\xd2\x00\x00\x00\x07", 5).tag, TAG_UINT);
        assert_int_equal(read_one("\xe0", 1).sint, -32);
        assert_true(read_one("\xca\x3f\xc0\x00\x00", 5).real == 1.5);
        assert_true(read_one("\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", 9).real == 1.5);
        assert_int_equal(read_one("\xd4\xff\x00", 3).ext_type, -1);
}

/* n nested containers around a nil, as single-element arrays or maps with a nil key. */
static int check_nested(int n, const char *opening, size_t len)
{
        char data[4 * WIRE_DEPTH_MAX];
        size_t at = 0;

        for (int i = 0; i < n; i++, at += len)
                memcpy(data + at, opening, len);
        data[at++] = (char)0xc0;
        return check(data, at);
}

static void test_depth_limit(void **state)
{
        (void)state;
        assert_int_equal(check_nested(WIRE_DEPTH_MAX, "\x91", 1), 0);
        assert_int_equal(check_nested(WIRE_DEPTH_MAX + 1, "\x91", 1), CURSOR_DEPTH);
        assert_int_equal(check_nested(WIRE_DEPTH_MAX, "\x81\xc0", 2), 0);
        assert_int_equal(check_nested(WIRE_DEPTH_MAX + 1, "\x81\xc0", 2), CURSOR_DEPTH);
}

/* Empty containers and siblings do not add up to depth. */
static void test_wide_is_not_deep(void **state)
{
        char data[3 + 60000];

        (void)state;
        memset(data, 0x90, sizeof(data));
        memcpy(data, "\xdc\xea\x60", 3);
        assert_int_equal(check(data, sizeof(data)), 0);
}

/* A frame of 155 bytes that asks for four thousand million elements costs nothing but a refusal. */
static void test_lying_counts(void **state)
{
        char data[155] = {0};

        (void)state;
        memcpy(data, "\xdd\xff\xff\xff\xff", 5);
        assert_int_equal(check(data, sizeof(data)), CURSOR_COUNT);
        memcpy(data, "\xdf\xff\xff\xff\xff", 5);
        assert_int_equal(check(data, sizeof(data)), CURSOR_COUNT);
        memcpy(data, "\xdb\xff\xff\xff\xff", 5);
        assert_int_equal(check(data, sizeof(data)), CURSOR_TRUNCATED);
        memcpy(data, "\xc9\xff\xff\xff\xff", 5);
        assert_int_equal(check(data, sizeof(data)), CURSOR_TRUNCATED);
        /* A map of 100 pairs in 152 bytes of elements: two bytes a pair are the least. */
        memcpy(data, "\xde\x00\x64", 3);
        assert_int_equal(check(data, sizeof(data)), CURSOR_COUNT);
        memcpy(data, "\xde\x00\x4c", 3);
        assert_int_equal(check(data, sizeof(data)), 0);
}

static void test_empty_and_trailing_bytes(void **state)
{
        (void)state;
        assert_int_equal(check("", 0), CURSOR_TRUNCATED);
        assert_int_equal(CHECK_TEXT("\xc0"), 0);
        assert_int_equal(CHECK_TEXT("\xc0\xc0"), CURSOR_INVALID);
        assert_int_equal(CHECK_TEXT("\x91\xc1"), CURSOR_INVALID);
}

static void test_lookup(void **state)
{
        /* {1: "a", "b": "x", "list": [1, {"c": "no"}], "c": 7} */
        static const char map[] = "\x84\x01\xa1"
                                  "a\xa1"
                                  "b\xa1x\xa4list\x92\x01\x81\xa1"
                                  "c\xa2no\xa1"
                                  "c\x07";
        struct bytes m = {(const uint8_t *)map, sizeof(map) - 1}, out;

        (void)state;
        assert_int_equal(wire_check(m), 0);
        assert_true(wire_lookup_str(m, "b", &out));
        assert_memory_equal(out.data, "x", 1);
        assert_true(wire_lookup(m, "c", &out));
        assert_int_equal(out.len, 1);
        assert_int_equal(*out.data, 7);
        assert_false(wire_lookup_str(m, "c", &out));
        assert_false(wire_lookup(m, "a", &out));
        assert_false(wire_lookup((struct bytes){(const uint8_t *)"\x07", 1}, "a", &out));
}

static void test_every_fault_has_a_text(void **state)
{
        (void)state;
        for (int i = CURSOR_TRUNCATED; i <= CURSOR_INVALID; i++)
                for (int k = i + 1; k <= CURSOR_INVALID; k++)
                        assert_string_not_equal(cursor_fault_text(i), cursor_fault_text(k));
        assert_string_equal(cursor_fault_text(0), cursor_fault_text(CURSOR_INVALID + 1));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_head_byte),
                cmocka_unit_test(test_numbers_at_their_edges),
                cmocka_unit_test(test_depth_limit),
                cmocka_unit_test(test_wide_is_not_deep),
                cmocka_unit_test(test_lying_counts),
                cmocka_unit_test(test_empty_and_trailing_bytes),
                cmocka_unit_test(test_lookup),
                cmocka_unit_test(test_every_fault_has_a_text),
        };

        return cmocka_run_group_tests_name("wire/cursor", tests, NULL, NULL);
}
