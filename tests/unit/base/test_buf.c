/* The bounded buffer: bytes come out as they went in, and never more than the limit. */
#include "base/buf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_keeps_order(void **state)
{
        struct buf b;
        uint8_t next_in = 0, next_out = 0;

        (void)state;
        buf_init(&b, 0);
        srand(1);
        for (int i = 0; i < 20000; i++) {
                uint8_t chunk[97];
                size_t n = (size_t)rand() % sizeof(chunk), m;

                for (size_t k = 0; k < n; k++)
                        chunk[k] = next_in++;
                assert_int_equal(buf_append(&b, chunk, n), 0);
                m = (size_t)rand() % (buf_size(&b) + 1);
                for (size_t k = 0; k < m; k++)
                        assert_int_equal(buf_head(&b)[k], next_out++);
                buf_consume(&b, m);
        }
        assert_int_equal((uint8_t)(next_in - next_out), (uint8_t)buf_size(&b));
        buf_fini(&b);
}

static void test_limit_counts_live_bytes(void **state)
{
        struct buf b;

        (void)state;
        buf_init(&b, 8);
        assert_int_equal(buf_append(&b, "12345678", 8), 0);
        assert_int_equal(buf_append(&b, "9", 1), -ENOBUFS);
        assert_int_equal(buf_size(&b), 8);
        buf_consume(&b, 3);
        assert_int_equal(buf_append(&b, "abc", 3), 0);
        assert_memory_equal(buf_head(&b), "45678abc", 8);
        assert_int_equal(buf_append(&b, "d", 1), -ENOBUFS);
        buf_fini(&b);
}

static void test_does_not_grow_while_drained(void **state)
{
        struct buf b;
        char block[100] = {0};

        (void)state;
        buf_init(&b, 0);
        buf_append(&b, block, 50);
        for (int i = 0; i < 10000; i++) {
                assert_int_equal(buf_append(&b, block, sizeof(block)), 0);
                buf_consume(&b, sizeof(block));
        }
        assert_in_range(b.cap, 150, 1024);
        buf_fini(&b);
}

static void test_absurd_sizes(void **state)
{
        struct buf b;

        (void)state;
        buf_init(&b, 0);
        assert_int_equal(buf_reserve(&b, SIZE_MAX), -ENOBUFS);
        assert_int_equal(buf_reserve(&b, SIZE_MAX / 4 + 1), -ENOBUFS);
        assert_int_equal(buf_append(&b, NULL, 0), 0);
        assert_int_equal(buf_size(&b), 0);
        buf_fini(&b);
}

static void test_shrinks_only_when_empty_and_large(void **state)
{
        struct buf b;
        char block[1000] = {0};

        (void)state;
        buf_init(&b, 0);
        buf_append(&b, block, sizeof(block));
        buf_shrink(&b, 100);
        assert_int_equal(buf_size(&b), sizeof(block));
        buf_consume(&b, sizeof(block));
        buf_shrink(&b, 4096);
        assert_non_null(b.data);
        buf_shrink(&b, 100);
        assert_null(b.data);
        assert_int_equal(buf_append(&b, "x", 1), 0);
        buf_fini(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_keeps_order),
                cmocka_unit_test(test_limit_counts_live_bytes),
                cmocka_unit_test(test_does_not_grow_while_drained),
                cmocka_unit_test(test_absurd_sizes),
                cmocka_unit_test(test_shrinks_only_when_empty_and_large),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
