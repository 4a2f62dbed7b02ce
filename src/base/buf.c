/* The bounded buffer: compacts before it grows, doubles when it must. */
#include "base/buf.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

struct bytes bytes_dup(struct bytes b)
{
        uint8_t *copy = b.len ? malloc(b.len) : NULL;

        if (!copy)
                return (struct bytes){0};
        memcpy(copy, b.data, b.len);
        return (struct bytes){copy, b.len};
}

void buf_init(struct buf *b, size_t limit)
{
        *b = (struct buf){.limit = limit};
}

void buf_fini(struct buf *b)
{
        free(b->data);
        *b = (struct buf){.limit = b->limit};
}

static void compact(struct buf *b)
{
        memmove(b->data, b->data + b->head, b->len - b->head);
        b->len -= b->head;
        b->head = 0;
}

static int grow(struct buf *b, size_t need)
{
        size_t cap = b->cap ? b->cap : FIRST_CAPACITY;
        uint8_t *data;

        while (cap < need)
                cap *= 2;
        data = realloc(b->data, cap);
        if (!data)
                return error_origin(-ENOMEM);
        b->data = data;
        b->cap = cap;
        return 0;
}

int buf_make_room(struct buf *b, size_t n)
{
        size_t live = b->len - b->head;

        if (n > SIZE_MAX / 4 || (b->limit && live + n > b->limit))
                return -ENOBUFS;
        if (b->cap - b->len >= n)
                return 0;
        /* Moving is cheaper than growing as long as at least half of the buffer was already consumed. */
        if (b->head >= b->cap / 2 && b->head) {
                compact(b);
                if (b->cap - b->len >= n)
                        return 0;
        }
        return grow(b, b->len + n);
}

void buf_consume(struct buf *b, size_t n)
{
        b->head += n;
        if (b->head == b->len)
                b->head = b->len = 0;
}

void buf_shrink(struct buf *b, size_t keep)
{
        if (b->head == b->len && b->cap > keep) {
                free(b->data);
                b->data = NULL;
                b->head = b->len = b->cap = 0;
        }
}
