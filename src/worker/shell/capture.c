/* The limit is exact: what is read over it is dropped, so that a command that never stops takes no memory. */
#include "worker/shell/capture.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <unistd.h>

/* What a pipe holds, and what is kept between two commands; far more pieces than the largest pipe holds. */
enum { PIECE = 64 * 1024, PIECES_MAX = 1024 };

void capture_init(struct capture *c)
{
        *c = (struct capture){.fd = -1};
}

int capture_open(struct capture *c, size_t limit, int *write_end)
{
        c->limit = limit;
        return fd_pipe(&c->fd, write_end);
}

static void close_pipe(struct capture *c)
{
        cleanup_close(&c->fd);
        c->fd = -1;
}

/* Where there is room, straight into the buffer, so that nothing is copied. */
size_t capture_read(struct capture *c, struct bytes *kept)
{
        size_t room = c->limit - buf_size(&c->kept);
        char spill[PIECE];
        ssize_t n;

        if (room > PIECE)
                room = PIECE;
        if (buf_reserve(&c->kept, room))
                room = 0;
        n = room ? read(c->fd, c->kept.data + c->kept.len, room) : read(c->fd, spill, sizeof(spill));
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
                close_pipe(c);
        *kept = (struct bytes){0};
        if (n <= 0)
                return 0;
        if (room) {
                *kept = (struct bytes){c->kept.data + c->kept.len, (size_t)n};
                c->kept.len += (size_t)n;
        } else {
                c->cut = true;
        }
        return (size_t)n;
}

void capture_end(struct capture *c)
{
        struct bytes kept;

        for (int pieces = 0; c->fd >= 0 && pieces < PIECES_MAX && capture_read(c, &kept); pieces++) {
        }
        close_pipe(c);
}

void capture_reset(struct capture *c)
{
        close_pipe(c);
        if (c->kept.data)
                memset(c->kept.data, 0, c->kept.len);
        buf_consume(&c->kept, buf_size(&c->kept));
        buf_shrink(&c->kept, PIECE);
        c->cut = false;
}
