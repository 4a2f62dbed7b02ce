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

/* Wiped by hand up to here, so that the next task finds its pages warm; given back to the kernel beyond. */
enum { WARM_BYTES = 256 * 1024, PAGE_BYTES = 4096 };

static struct {
        struct heap *heap; /* at the arena's first byte */
        uint8_t *image;
        size_t image_bytes, image_used;
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

int arena_keep(void)
{
        struct heap *h = arena.heap;
        size_t n = (size_t)(h->wild - (uint8_t *)h);
        uint8_t *image = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (image == MAP_FAILED)
                return error_origin(-errno);
        memset(h->wild, 0, (size_t)(h->top - h->wild));
        h->top = h->wild;
        h->peak = h->used;
        memcpy(image, h, n);
        if (mprotect(image, n, PROT_READ) < 0)
                return error_origin(-errno);
        arena.image = image;
        arena.image_bytes = n;
        arena.image_used = h->used;
        return 0;
}

static void wipe(uint8_t *from, uint8_t *to)
{
        uintptr_t page = ((uintptr_t)from + WARM_BYTES + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
        uint8_t *cold = (uint8_t *)page;

        if (cold < to) {
                /* On private anonymous memory this cannot fail, and what is read there next is zero. */
                madvise(cold, (size_t)(to - cold), MADV_DONTNEED);
                to = cold;
        }
        memset(from, 0, (size_t)(to - from));
}

void arena_restore(void)
{
        uint8_t *base = (uint8_t *)arena.heap, *top = arena.heap->top;

        wipe(base + arena.image_bytes, top);
        memcpy(base, arena.image, arena.image_bytes);
}

size_t arena_image_bytes(void)
{
        return arena.image_bytes;
}

size_t arena_peak(void)
{
        return arena.heap->peak - arena.image_used;
}

bool arena_denied(void)
{
        return arena.heap->denied != 0;
}
