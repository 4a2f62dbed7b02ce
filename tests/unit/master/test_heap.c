/* The heap against a plain array. */
#include "base/list.h"
#include "master/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ITEMS = 300, ROUNDS = 20000 };

struct item {
        struct heap_node node;
        int key;
};

static struct item items[ITEMS];

static bool before(const struct heap_node *a, const struct heap_node *b)
{
        return container_of(a, struct item, node)->key < container_of(b, struct item, node)->key;
}

static int least(void)
{
        int found = INT32_MAX;

        for (int i = 0; i < ITEMS; i++)
                if (heap_has(&items[i].node) && items[i].key < found)
                        found = items[i].key;
        return found;
}

static void change(struct heap *h, struct item *it)
{
        if (!heap_has(&it->node)) {
                it->key = rand() % 1000;
                heap_insert(h, &it->node);
        } else if (rand() % 2) {
                heap_remove(h, &it->node);
                heap_remove(h, &it->node);
        } else {
                it->key = rand() % 1000;
                heap_update(h, &it->node);
        }
}

static void test_against_model(void **state)
{
        struct heap h;

        (void)state;
        srand(7);
        heap_init(&h, before);
        assert_null(heap_top(&h));
        assert_int_equal(heap_reserve(&h, ITEMS), 0);
        for (int i = 0; i < ROUNDS; i++) {
                struct heap_node *top;

                change(&h, &items[rand() % ITEMS]);
                top = heap_top(&h);
                assert_int_equal(top ? container_of(top, struct item, node)->key : INT32_MAX, least());
        }
        heap_fini(&h);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_model)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
