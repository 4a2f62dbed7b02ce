/* A line reader over a buffer; read(2) is its only system call. */
#include "cli/lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024 };

void lines_init(struct lines *l, int fd, size_t limit)
{
        *l = (struct lines){.fd = fd};
        buf_init(&l->buf, limit + READ_BYTES);
}

void lines_fini(struct lines *l)
{
        buf_fini(&l->buf);
}

bool lines_next(struct lines *l, struct bytes *line)
{
        size_t size = buf_size(&l->buf);
        const uint8_t *newline = size ? memchr(buf_head(&l->buf), '\n', size) : NULL;

        if (!newline && !(l->ended && size))
                return false;
        *line = (struct bytes){buf_head(&l->buf), newline ? (size_t)(newline - buf_head(&l->buf)) : size};
        buf_consume(&l->buf, line->len + (newline ? 1 : 0));
        return true;
}

int lines_fill(struct lines *l)
{
        int r = buf_reserve(&l->buf, READ_BYTES);
        ssize_t n;

        if (r < 0)
                return r;
        n = read(l->fd, l->buf.data + l->buf.len, READ_BYTES);
        if (n < 0)
                return errno == EINTR || errno == EAGAIN ? 0 : -errno;
        l->buf.len += (size_t)n;
        l->ended = !n;
        return 0;
}
