/* The ring: order at both ends, unlinking twice, and unlinking what a loop stands on. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct item {
        int n;
        struct list link;
};

static int sum_in_order(struct list *l)
{
        int digits = 0;

        list_for_each(it, l)
                digits = digits * 10 + list_entry(it, struct item, link)->n;
        return digits;
}

static void test_order(void **state)
{
        struct list l = LIST_INIT(l);
        struct item a = {.n = 1}, b = {.n = 2}, c = {.n = 3}, d = {.n = 4};

        (void)state;
        assert_true(list_empty(&l));
        assert_null(list_first(&l));
        assert_null(list_first_entry(&l, struct item, link));
        list_push_back(&l, &b.link);
        list_push_back(&l, &c.link);
        list_push_front(&l, &a.link);
        list_insert_after(&b.link, &d.link);
        assert_int_equal(sum_in_order(&l), 1243);
        assert_ptr_equal(list_first_entry(&l, struct item, link), &a);
}

static void test_unlink_twice(void **state)
{
        struct list l = LIST_INIT(l);
        struct item a = {.n = 1}, b = {.n = 2};

        (void)state;
        list_push_back(&l, &a.link);
        list_push_back(&l, &b.link);
        list_unlink(&a.link);
        list_unlink(&a.link);
        assert_int_equal(sum_in_order(&l), 2);
        list_unlink(&b.link);
        assert_true(list_empty(&l));
        assert_true(list_empty(&b.link));
}

static void test_free_inside_loop(void **state)
{
        struct list l = LIST_INIT(l);
        int freed = 0;

        (void)state;
        for (int i = 0; i < 10; i++) {
                struct item *it = malloc(sizeof(*it));

                it->n = i;
                list_push_back(&l, &it->link);
        }
        list_for_each_safe(at, &l) {
                struct item *it = list_entry(at, struct item, link);

                assert_int_equal(it->n, freed++);
                list_unlink(&it->link);
                free(it);
        }
        assert_int_equal(freed, 10);
        assert_true(list_empty(&l));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_unlink_twice),
                cmocka_unit_test(test_free_inside_loop),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
