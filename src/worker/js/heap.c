/*
 * Blocks lie one behind the other. A block's header is its size; while it is free, its last word repeats the
 * size for the next block to find its start, and its first two words link it into the list of its size class.
 */
#include "worker/js/heap.h"

#include <string.h>

enum {
        GRAIN = 8,
        HEADER = 8,
        MIN_SIZE = 24, /* two links and the size at the end */
        LINEAR = 256,  /* below this, one class for each multiple of 8 */
        LINEAR_BITS = 8,
        COLUMN_BITS = 5,
};
enum { IS_FREE = 1, PREV_FREE = 2, FLAGS = 7 };

struct heap_block {
        size_t prev_size; /* the tail of the block before; has a meaning only while that one is free */
        size_t size;      /* of the payload, and flags in the low bits */
        struct heap_block *next, *prev;
};

enum { PAYLOAD = offsetof(struct heap_block, next) };

static size_t size_of(const struct heap_block *b)
{
        return b->size & ~(size_t)FLAGS;
}

static uint8_t *payload(struct heap_block *b)
{
        return (uint8_t *)b + PAYLOAD;
}

static struct heap_block *block_of(void *p)
{
        return (struct heap_block *)((uint8_t *)p - PAYLOAD);
}

/* The block behind; NULL if that is the wilderness. */
static struct heap_block *block_after(const struct heap *h, struct heap_block *b)
{
        uint8_t *at = payload(b) + size_of(b);

        return at == h->wild ? NULL : (struct heap_block *)(at - offsetof(struct heap_block, size));
}

static struct heap_block *block_before(struct heap_block *b)
{
        return (struct heap_block *)((uint8_t *)b - b->prev_size - HEADER);
}

struct size_class {
        unsigned int row, column;
};

static struct size_class class_of(size_t size)
{
        unsigned int log;

        if (size < LINEAR)
                return (struct size_class){0, (unsigned int)(size / GRAIN)};
        log = 63u - (unsigned int)__builtin_clzl(size);
        return (struct size_class){
                log - LINEAR_BITS + 1, (unsigned int)(size >> (log - COLUMN_BITS)) & (HEAP_COLUMNS - 1)};
}

/* The first class in which every block is large enough. */
static struct size_class class_for(size_t size)
{
        if (size >= LINEAR)
                size += (UINT64_C(1) << (63 - __builtin_clzl(size) - COLUMN_BITS)) - 1;
        return class_of(size);
}

static void link_free(struct heap *h, struct heap_block *b)
{
        struct size_class c = class_of(size_of(b));
        struct heap_block **list = &h->lists[c.row][c.column], *after = block_after(h, b);

        b->size |= IS_FREE;
        after->prev_size = size_of(b);
        after->size |= PREV_FREE;
        b->prev = NULL;
        b->next = *list;
        if (*list)
                (*list)->prev = b;
        *list = b;
        h->columns[c.row] |= UINT32_C(1) << c.column;
        h->rows |= UINT64_C(1) << c.row;
}

static void unlink_free(struct heap *h, struct heap_block *b)
{
        struct size_class c = class_of(size_of(b));
        struct heap_block *after = block_after(h, b);

        b->size &= ~(size_t)IS_FREE;
        after->size &= ~(size_t)PREV_FREE;
        if (b->next)
                b->next->prev = b->prev;
        if (b->prev) {
                b->prev->next = b->next;
                return;
        }
        h->lists[c.row][c.column] = b->next;
        if (b->next)
                return;
        h->columns[c.row] &= ~(UINT32_C(1) << c.column);
        if (!h->columns[c.row])
                h->rows &= ~(UINT64_C(1) << c.row);
}

static struct heap_block *find_free(const struct heap *h, size_t size)
{
        struct size_class c = class_for(size);
        uint32_t columns;
        uint64_t rows;

        if (c.row >= HEAP_ROWS)
                return NULL;
        columns = h->columns[c.row] & (~UINT32_C(0) << c.column);
        if (!columns) {
                rows = h->rows & (~UINT64_C(1) << c.row);
                if (!rows)
                        return NULL;
                c.row = (unsigned int)__builtin_ctzl(rows);
                columns = h->columns[c.row];
        }
        return h->lists[c.row][__builtin_ctz(columns)];
}

static void move_wild(struct heap *h, uint8_t *to)
{
        h->wild = to;
        if (to > h->top)
                h->top = to;
}

static struct heap_block *take_wild(struct heap *h, size_t size)
{
        struct heap_block *b = (struct heap_block *)(h->wild - offsetof(struct heap_block, size));

        if ((size_t)(h->end - h->wild) < size + HEADER)
                return NULL;
        move_wild(h, h->wild + HEADER + size);
        b->size = size;
        return b;
}

/* Gives a block back to the free lists or to the wilderness, joined with its free neighbours. */
static void release(struct heap *h, struct heap_block *b)
{
        struct heap_block *after = block_after(h, b);

        if (after && (after->size & IS_FREE)) {
                unlink_free(h, after);
                b->size += size_of(after) + HEADER;
        }
        if (b->size & PREV_FREE) {
                struct heap_block *before = block_before(b);

                unlink_free(h, before);
                before->size += size_of(b) + HEADER;
                b = before;
        }
        if (block_after(h, b))
                link_free(h, b);
        else
                h->wild = payload(b) - HEADER;
}

/* Cuts a used block down to size, if what is over makes a block of its own. */
static void trim(struct heap *h, struct heap_block *b, size_t size)
{
        size_t over = size_of(b) - size;
        struct heap_block *rest;

        if (over < HEADER + MIN_SIZE)
                return;
        b->size -= over;
        rest = (struct heap_block *)(payload(b) + size - offsetof(struct heap_block, size));
        rest->size = over - HEADER;
        release(h, rest);
}

struct heap *heap_init(void *base, size_t size)
{
        struct heap *h = base;

        memset(h, 0, sizeof(*h));
        h->end = (uint8_t *)base + (size & ~(size_t)(GRAIN - 1));
        move_wild(h, (uint8_t *)base + sizeof(*h));
        return h;
}

static size_t rounded(size_t n)
{
        return n < MIN_SIZE ? MIN_SIZE : (n + GRAIN - 1) & ~(size_t)(GRAIN - 1);
}

static void count(struct heap *h, size_t more, size_t less)
{
        h->used += more - less;
        if (h->used > h->peak)
                h->peak = h->used;
        if (more >= h->denied)
                h->denied = 0;
}

static void *deny(struct heap *h, size_t n)
{
        h->denied = n;
        return NULL;
}

void *heap_alloc(struct heap *h, size_t n)
{
        struct heap_block *b;
        size_t size;

        if (!n)
                return NULL;
        if (n > (size_t)(h->end - (uint8_t *)h))
                return deny(h, n);
        size = rounded(n);
        b = find_free(h, size);
        if (b) {
                unlink_free(h, b);
                trim(h, b, size);
        } else {
                b = take_wild(h, size);
                if (!b)
                        return deny(h, size);
        }
        count(h, size_of(b) + HEADER, 0);
        return payload(b);
}

/* Grows a block where it is, into a free neighbour or the wilderness. */
static bool extend(struct heap *h, struct heap_block *b, size_t size)
{
        struct heap_block *after = block_after(h, b);
        size_t more = size - size_of(b);

        if (!after) {
                if ((size_t)(h->end - h->wild) < more)
                        return false;
                b->size += more;
                move_wild(h, h->wild + more);
                return true;
        }
        if (!(after->size & IS_FREE) || size_of(after) + HEADER < more)
                return false;
        unlink_free(h, after);
        b->size += size_of(after) + HEADER;
        trim(h, b, size);
        return true;
}

static void *relocate(struct heap *h, struct heap_block *b, size_t n)
{
        void *moved = heap_alloc(h, n);

        if (!moved)
                return NULL;
        memcpy(moved, payload(b), size_of(b));
        heap_free(h, payload(b));
        return moved;
}

void *heap_realloc(struct heap *h, void *p, size_t n)
{
        struct heap_block *b;
        size_t before, size;

        if (!p)
                return heap_alloc(h, n);
        if (!n) {
                heap_free(h, p);
                return NULL;
        }
        if (n > (size_t)(h->end - (uint8_t *)h))
                return deny(h, n);
        b = block_of(p);
        before = size_of(b);
        size = rounded(n);
        if (size > before && !extend(h, b, size))
                return relocate(h, b, n);
        trim(h, b, size);
        count(h, size_of(b) + HEADER, before + HEADER);
        return p;
}

void heap_free(struct heap *h, void *p)
{
        struct heap_block *b;

        if (!p)
                return;
        b = block_of(p);
        h->used -= size_of(b) + HEADER;
        release(h, b);
}
