/*
 * A growing byte buffer that is filled at the end and consumed at the front, with a bound that it never exceeds.
 * Live bytes are data[head .. len). Pointers into it are good until the next call that may grow or compact it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
        uint8_t *data;
        size_t head, len, cap;
        size_t limit; /* most live bytes; 0 = unlimited */
};

/* A borrowed run of bytes; not NUL-terminated. data may be NULL only when len is 0. */
struct bytes {
        const uint8_t *data;
        size_t len;
};

/* A copy from malloc, the caller's; empty bytes stay empty. data NULL with len > 0 in, len 0 out: no memory. */
struct bytes bytes_dup(struct bytes b);

void buf_init(struct buf *b, size_t limit);
void buf_fini(struct buf *b);

/* The slow path of buf_reserve: checks the bound, compacts, grows. */
int buf_make_room(struct buf *b, size_t n);

/* Makes room for n more bytes at the end. -ENOBUFS over the limit, -ENOMEM without memory; the buffer stays as it was.
 * Inline, with buf_append, since everything that is encoded passes here a few bytes at a time. */
static inline int buf_reserve(struct buf *b, size_t n)
{
        if (n <= b->cap - b->len && (!b->limit || n <= b->limit - (b->len - b->head)))
                return 0;
        return buf_make_room(b, n);
}

static inline int buf_append(struct buf *b, const void *data, size_t n)
{
        int r = buf_reserve(b, n);

        if (r < 0)
                return r;
        if (n)
                memcpy(b->data + b->len, data, n);
        b->len += n;
        return 0;
}

/* Drops n live bytes from the front; an emptied buffer starts at 0 again. */
void buf_consume(struct buf *b, size_t n);

/* Gives memory back when empty and larger than keep bytes. */
void buf_shrink(struct buf *b, size_t keep);

static inline size_t buf_size(const struct buf *b)
{
        return b->len - b->head;
}

static inline uint8_t *buf_head(const struct buf *b)
{
        return b->data + b->head;
}

static inline struct bytes buf_bytes(const struct buf *b)
{
        return (struct bytes){b->data + b->head, b->len - b->head};
}
