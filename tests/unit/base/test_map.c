/* The hash map against a plain array, with hashes that collide on purpose. */
#include "base/list.h"
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ITEMS = 3000 };

struct item {
        struct map_node node;
        int key;
        bool in;
};

/* Few hashes for many keys. */
static uint64_t hash_of(int key)
{
        return (uint64_t)key % 700;
}

static struct item *find(const struct map *m, int key)
{
        for (struct map_node *n = map_first(m, hash_of(key)); n; n = map_next(n)) {
                struct item *it = container_of(n, struct item, node);

                if (it->key == key)
                        return it;
        }
        return NULL;
}

static void test_against_model(void **state)
{
        static struct item items[ITEMS];
        struct map m;
        size_t n_in = 0, seen = 0;

        (void)state;
        map_init(&m);
        srand(2);
        assert_null(find(&m, 1));
        for (int step = 0; step < 50000; step++) {
                int key = rand() % ITEMS;
                struct item *it = &items[key];

                /* Hints may be given at any time: to an empty map, and in the middle of its growth. */
                map_prefetch_bucket(&m, hash_of(key));
                map_prefetch_chain(&m, hash_of(key));
                assert_ptr_equal(find(&m, key), it->in ? it : NULL);
                it->key = key;
                if (it->in)
                        map_remove(&m, &it->node);
                else
                        assert_int_equal(map_insert(&m, &it->node, hash_of(key)), 0);
                n_in += it->in ? (size_t)-1 : 1;
                it->in = !it->in;
                assert_int_equal(m.n_nodes, n_in);
        }
        for (struct map_node *n = map_iterate(&m, NULL); n; n = map_iterate(&m, n)) {
                struct item *it = container_of(n, struct item, node);

                assert_true(it->in);
                it->in = false;
                seen++;
        }
        assert_int_equal(seen, n_in);
        map_fini(&m);
}

static void check_removing(int n_items)
{
        static struct item items[ITEMS];
        struct map m;
        struct map_node *next;
        int seen = 0;

        map_init(&m);
        for (int i = 0; i < n_items; i++)
                map_insert(&m, &items[i].node, hash_of(i * 7));
        for (struct map_node *n = map_iterate(&m, NULL); n; n = next) {
                next = map_iterate(&m, n);
                map_remove(&m, n);
                seen++;
        }
        assert_int_equal(seen, n_items);
        assert_null(map_iterate(&m, NULL));
        map_fini(&m);
}

/* With any number of nodes, since some of them leave the map in the middle of its growth. */
static void test_removing_while_iterating(void **state)
{
        (void)state;
        for (int n = 0; n < 150; n++)
                check_removing(n);
}

/* Each step of a growth: everything is found, and iterated over once. */
static void test_growing_step_by_step(void **state)
{
        static struct item items[ITEMS];
        struct map m;

        (void)state;
        map_init(&m);
        for (int i = 0; i < 300; i++) {
                int seen = 0;

                items[i].key = i;
                assert_int_equal(map_insert(&m, &items[i].node, hash_of(i)), 0);
                for (struct map_node *n = map_iterate(&m, NULL); n; n = map_iterate(&m, n))
                        seen++;
                assert_int_equal(seen, i + 1);
                for (int k = 0; k <= i; k++)
                        assert_ptr_equal(find(&m, k), &items[k]);
        }
        map_fini(&m);
}

static void test_removing_a_stranger_changes_nothing(void **state)
{
        struct item in = {.key = 1}, out = {.key = 2};
        struct map m;

        (void)state;
        map_init(&m);
        map_insert(&m, &in.node, 5);
        out.node.hash = 5;
        map_remove(&m, &out.node);
        assert_int_equal(m.n_nodes, 1);
        assert_ptr_equal(map_first(&m, 5), &in.node);
        map_fini(&m);
}

/* Every length up to some words: equal bytes hash equally, one flipped bit or a cut end does not. */
static void test_hash(void **state)
{
        uint8_t a[40], b[40];

        (void)state;
        memset(a, 'x', sizeof(a));
        for (size_t len = 1; len < sizeof(a); len++) {
                memcpy(b, a, sizeof(a));
                assert_true(map_hash(a, len) == map_hash(b, len));
                assert_true(map_hash(a, len) != map_hash(a, len - 1));
                b[len - 1] ^= 1;
                assert_true(map_hash(a, len) != map_hash(b, len));
        }
        assert_true(map_hash(NULL, 0) == map_hash(a, 0));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_against_model),
                cmocka_unit_test(test_removing_while_iterating),
                cmocka_unit_test(test_growing_step_by_step),
                cmocka_unit_test(test_removing_a_stranger_changes_nothing),
                cmocka_unit_test(test_hash),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
