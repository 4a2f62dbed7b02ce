/* Two halves: when both are full the older one goes. */
#include "worker/program/tail.h"

#include "base/fd.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

int tail_open(struct tail *t, int *write_end)
{
        *t = (struct tail){.fd = -1};
        return fd_pipe(&t->fd, write_end);
}

static void keep(struct tail *t, const char *bytes, size_t n)
{
        if (n > TAIL_BYTES) {
                bytes += n - TAIL_BYTES;
                n = TAIL_BYTES;
        }
        if (t->len + n > sizeof(t->text)) {
                memmove(t->text, t->text + t->len - TAIL_BYTES, TAIL_BYTES);
                t->len = TAIL_BYTES;
        }
        memcpy(t->text + t->len, bytes, n);
        t->len += n;
}

void tail_read(struct tail *t)
{
        char bytes[4096];
        ssize_t n = read(t->fd, bytes, sizeof(bytes));

        if (n > 0)
                return keep(t, bytes, (size_t)n);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        close(t->fd);
        t->fd = -1;
}

const char *tail_text(struct tail *t)
{
        static char text[TAIL_BYTES + 4];
        size_t from = t->len > TAIL_BYTES ? t->len - TAIL_BYTES : 0, to = t->len;

        while (from < to && isspace((unsigned char)t->text[from]))
                from++;
        while (to > from && isspace((unsigned char)t->text[to - 1]))
                to--;
        /* A NUL would end the text for whoever reads it. */
        for (size_t i = from; i < to; i++)
                text[i - from] = t->text[i] ? t->text[i] : ' ';
        text[to - from] = '\0';
        return text;
}
