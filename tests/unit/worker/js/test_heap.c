/* The allocator, against a plain record of what it gave: contents stay, blocks do not meet, everything comes
 * back. */
#include "worker/js/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIZE = 4 << 20, SLOTS = 600, STEPS = 400000 };

static struct {
        uint8_t *at;
        size_t n;
        uint8_t fill;
} slots[SLOTS];

static uint8_t *memory;
static uint64_t seed = 88172645463325252u;

static uint64_t draw(void)
{
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return seed;
}

static size_t draw_size(void)
{
        unsigned int kind = (unsigned int)(draw() % 100);

        if (kind < 70)
                return 1 + draw() % 128;
        return kind < 97 ? 1 + draw() % 4096 : 1 + draw() % 200000;
}

static void check_fill(int i, size_t n)
{
        for (size_t k = 0; k < n; k++)
                assert_int_equal(slots[i].at[k], slots[i].fill);
}

static void take(struct heap *h, int i)
{
        size_t n = draw_size();
        uint8_t *p = slots[i].at ? heap_realloc(h, slots[i].at, n) : heap_alloc(h, n);

        if (!p) {
                assert_true(h->denied);
                return;
        }
        assert_int_equal((uintptr_t)p % 8, 0);
        assert_true(p >= memory && p + n <= memory + SIZE);
        if (slots[i].at) {
                slots[i].at = p;
                check_fill(i, slots[i].n < n ? slots[i].n : n);
        }
        slots[i].at = p;
        slots[i].n = n;
        slots[i].fill = (uint8_t)draw();
        memset(p, slots[i].fill, n);
}

static void give(struct heap *h, int i)
{
        check_fill(i, slots[i].n);
        heap_free(h, slots[i].at);
        slots[i].at = NULL;
        slots[i].n = 0;
}

static void random_use_keeps_every_block(void **state)
{
        struct heap *h = heap_init(memory, SIZE);
        uint8_t *first = h->wild;

        (void)state;
        for (int step = 0; step < STEPS; step++) {
                int i = (int)(draw() % SLOTS);

                if (slots[i].at && draw() % 3)
                        give(h, i);
                else
                        take(h, i);
        }
        for (int i = 0; i < SLOTS; i++)
                if (slots[i].at)
                        give(h, i);
        assert_int_equal(h->used, 0);
        assert_int_equal(h->rows, 0);
        assert_ptr_equal(h->wild, first);
        assert_true(h->peak > 0);
}

static void the_limit_is_exact(void **state)
{
        struct heap *h = heap_init(memory, SIZE);
        size_t room = (size_t)(h->end - h->wild) - 8;
        uint8_t *p;

        (void)state;
        assert_null(heap_alloc(h, room + 8));
        assert_true(h->denied);
        p = heap_alloc(h, room);
        assert_non_null(p);
        memset(p, 1, room);
        assert_null(heap_alloc(h, 1));
        assert_true(h->denied);
        heap_free(h, p);
        assert_non_null(heap_alloc(h, 1));
        assert_false(h->denied);
}

static void absurd_sizes_are_denied(void **state)
{
        struct heap *h = heap_init(memory, SIZE);
        void *p = heap_alloc(h, 10);

        (void)state;
        assert_null(heap_alloc(h, SIZE_MAX));
        assert_null(heap_alloc(h, SIZE_MAX - 7));
        assert_null(heap_realloc(h, p, SIZE_MAX));
        assert_null(heap_alloc(h, 0));
        assert_null(heap_realloc(h, p, 0));
        assert_int_equal(h->used, 0);
}

/* Small blocks side by side with one gap of each size: a gap is filled before untouched memory is. */
static void gaps_are_used_again(void **state)
{
        struct heap *h = heap_init(memory, SIZE);
        void *blocks[1000];
        uint8_t *top;

        (void)state;
        for (int i = 0; i < 1000; i++)
                blocks[i] = heap_alloc(h, 64);
        top = h->top;
        for (int i = 0; i < 1000; i += 2)
                heap_free(h, blocks[i]);
        for (int i = 0; i < 500; i++)
                assert_non_null(heap_alloc(h, 64));
        assert_ptr_equal(h->top, top);
}

static int get_memory(void **state)
{
        (void)state;
        return posix_memalign((void **)&memory, 64, SIZE);
}

static int free_memory(void **state)
{
        (void)state;
        free(memory);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(random_use_keeps_every_block),
                cmocka_unit_test(the_limit_is_exact),
                cmocka_unit_test(absurd_sizes_are_denied),
                cmocka_unit_test(gaps_are_used_again),
        };

        return cmocka_run_group_tests(tests, get_memory, free_memory);
}
