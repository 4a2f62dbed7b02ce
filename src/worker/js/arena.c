/* Mapping, image and restoring. The address is fixed: the same pointers, so the same behaviour, in every run.
 */
#include "worker/js/arena.h"

#include "base/error.h"
#include "worker/js/heap.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* Free in an ordinary process, and outside of the sanitizers' shadow. */
#define ARENA_ADDRESS ((void *)UINT64_C(0x200000000000))

/* Wiped by hand up to here, so that the next task finds its pages warm; given back to the kernel beyond. What
 * the largest image covers stays warm as well, within reason: it comes back. */
enum { WARM_BYTES = 256 * 1024, REACH_MAX = 8 * 1024 * 1024, PAGE_BYTES = 4096 };

static struct {
        struct heap *heap; /* at the arena's first byte */
        size_t counted_above, reach;
} arena;

int arena_map(size_t size)
{
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
        void *base;

        if (arena.heap || size <= sizeof(struct heap))
                return error_origin(-EINVAL);
        base = mmap(ARENA_ADDRESS, size, PROT_READ | PROT_WRITE, flags, -1, 0);
        if (base == MAP_FAILED)
                return error_origin(-errno);
        arena.heap = heap_init(base, size);
        return 0;
}

void *arena_alloc(void *udata, size_t n)
{
        (void)udata;
        return heap_alloc(arena.heap, n);
}

void *arena_realloc(void *udata, void *p, size_t n)
{
        (void)udata;
        return heap_realloc(arena.heap, p, n);
}

void arena_free(void *udata, void *p)
{
        (void)udata;
        heap_free(arena.heap, p);
}

static void wipe(uint8_t *from, uint8_t *to)
{
        uintptr_t warm = (uintptr_t)from + WARM_BYTES, reached = (uintptr_t)arena.heap + arena.reach;
        uintptr_t page = ((warm > reached ? warm : reached) + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
        uint8_t *cold = (uint8_t *)page;

        if (cold < to) {
                /* On private anonymous memory this cannot fail, and what is read there next is zero. */
                madvise(cold, (size_t)(to - cold), MADV_DONTNEED);
                to = cold;
        }
        memset(from, 0, (size_t)(to - from));
}

size_t arena_extent(void)
{
        return (size_t)(arena.heap->wild - (uint8_t *)arena.heap);
}

/* Above the world in the arena all is zero afterwards, as it is after a restore. */
int arena_keep(struct arena_image *image)
{
        struct heap *h = arena.heap;
        size_t n = arena_extent();
        uint8_t *bytes = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (bytes == MAP_FAILED)
                return error_origin(-errno);
        wipe(h->wild, h->top);
        h->top = h->wild;
        h->denied = 0; /* it was got over: what comes later fails for reasons of its own */
        memcpy(bytes, h, n);
        ((struct heap *)bytes)->peak = h->used;
        *image = (struct arena_image){bytes, n, h->used};
        if (n > arena.reach)
                arena.reach = n < REACH_MAX ? n : REACH_MAX;
        if (mprotect(bytes, n, PROT_READ) < 0) {
                int r = error_origin(-errno);

                arena_drop(image);
                return r;
        }
        return 0;
}

void arena_drop(struct arena_image *image)
{
        if (image->bytes)
                munmap(image->bytes, image->len);
        *image = (struct arena_image){0};
}

void arena_restore(const struct arena_image *image)
{
        uint8_t *base = (uint8_t *)arena.heap, *top = arena.heap->top;

        if (top > base + image->len)
                wipe(base + image->len, top);
        memcpy(base, image->bytes, image->len);
}

void arena_count_above(const struct arena_image *image)
{
        arena.counted_above = image->used;
}

size_t arena_peak(void)
{
        return arena.heap->peak - arena.counted_above;
}

bool arena_denied(void)
{
        return arena.heap->denied != 0;
}
