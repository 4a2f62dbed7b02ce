/* Frames over a stream socket. Reads are large and few; writes are gathered until the owner flushes. */
#include "wire/channel.h"

#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LENGTH_BYTES = 4, READ_BYTES = 64 * 1024, KEEP_BYTES = 256 * 1024 };

void channel_init(struct channel *ch, int fd, size_t max_frame, size_t out_limit)
{
        *ch = (struct channel){.fd = fd, .max_frame = max_frame};
        buf_init(&ch->in, 0);
        buf_init(&ch->out, out_limit);
        for (int i = 0; i < FD_PASS_MAX; i++)
                ch->passed[i] = -1;
}

void channel_fini(struct channel *ch)
{
        int fd;

        while ((fd = channel_take_fd(ch)) >= 0)
                close(fd);
        buf_fini(&ch->in);
        buf_fini(&ch->out);
        if (ch->fd >= 0)
                close(ch->fd);
        ch->fd = -1;
}

static void keep_or_close(struct channel *ch, int fd)
{
        if (ch->takes_fds && ch->n_passed < FD_PASS_MAX)
                ch->passed[ch->n_passed++] = fd;
        else
                close(fd);
}

static void collect_fds(struct channel *ch, struct msghdr *msg)
{
        for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
                size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < n; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                        keep_or_close(ch, fd);
                }
        }
}

/* Only a channel that expects descriptors gives the kernel room for them: a flood of them from others ends there. */
static ssize_t receive(struct channel *ch, uint8_t *at, size_t n)
{
        union {
                struct cmsghdr align;
                char room[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
        } control;
        struct iovec iov = {.iov_base = at, .iov_len = n};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t got;

        if (!ch->takes_fds)
                return recv(ch->fd, at, n, 0);
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof(control.room);
        got = recvmsg(ch->fd, &msg, MSG_CMSG_CLOEXEC);
        if (got >= 0)
                collect_fds(ch, &msg);
        return got;
}

static size_t load_length(const uint8_t *p)
{
        return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* How much to ask for: a large frame in few steps, yet never more room than there are bytes of it already, since
 * announcing a length costs a peer nothing. */
static size_t wanted(const struct channel *ch)
{
        size_t have = buf_size(&ch->in), need;

        if (have <= READ_BYTES)
                return READ_BYTES;
        need = load_length(buf_head(&ch->in)) + LENGTH_BYTES;
        if (need > ch->max_frame + LENGTH_BYTES || need <= have + READ_BYTES)
                return READ_BYTES;
        return need - have < have ? need - have : have;
}

int channel_fill(struct channel *ch)
{
        ssize_t got;
        size_t ask;
        int r;

        buf_consume(&ch->in, ch->consumed);
        ch->consumed = 0;
        buf_shrink(&ch->in, KEEP_BYTES);
        ask = wanted(ch);
        r = buf_reserve(&ch->in, ask);
        if (r < 0)
                return r;
        got = receive(ch, ch->in.data + ch->in.len, ask);
        if (got > 0) {
                ch->in.len += (size_t)got;
                return 0;
        }
        if (!got || errno == ECONNRESET || errno == EPIPE)
                return CHANNEL_CLOSED;
        if (errno == EAGAIN || errno == EINTR)
                return CHANNEL_AGAIN;
        return error_origin(-errno);
}

int channel_next(struct channel *ch, struct bytes *frame)
{
        const uint8_t *at = buf_head(&ch->in) + ch->consumed;
        size_t have = buf_size(&ch->in) - ch->consumed, len;

        if (have < LENGTH_BYTES)
                return CHANNEL_AGAIN;
        len = load_length(at);
        if (len > ch->max_frame)
                return CHANNEL_TOO_LARGE;
        if (have - LENGTH_BYTES < len)
                return CHANNEL_AGAIN;
        *frame = (struct bytes){at + LENGTH_BYTES, len};
        ch->consumed += LENGTH_BYTES + len;
        return 0;
}

int channel_wait(struct channel *ch, struct bytes *frame)
{
        int r;

        while ((r = channel_next(ch, frame)) == CHANNEL_AGAIN) {
                r = channel_fill(ch);
                if (r && r != CHANNEL_AGAIN)
                        return r;
        }
        return r;
}

void channel_put_back(struct channel *ch, struct bytes frame)
{
        ch->consumed -= LENGTH_BYTES + frame.len;
}

int channel_send(struct channel *ch, const struct wire_message *m, uint64_t seq, const void *body)
{
        return wire_encode(&ch->out, m, seq, body);
}

int channel_flush(struct channel *ch)
{
        while (buf_size(&ch->out)) {
                ssize_t n = send(ch->fd, buf_head(&ch->out), buf_size(&ch->out), MSG_NOSIGNAL);

                if (n > 0)
                        buf_consume(&ch->out, (size_t)n);
                else if (errno == EAGAIN)
                        return CHANNEL_AGAIN;
                else if (errno == EPIPE || errno == ECONNRESET)
                        return CHANNEL_CLOSED;
                else if (errno != EINTR)
                        return error_origin(-errno);
        }
        buf_shrink(&ch->out, KEEP_BYTES);
        return 0;
}

/* The descriptors ride on the frame's first byte; the rest follows as ordinary bytes. */
static int send_first_byte(struct channel *ch, const int *fds, int n_fds)
{
        union {
                struct cmsghdr align;
                char room[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
        } control = {0};
        struct iovec iov = {.iov_base = buf_head(&ch->out), .iov_len = 1};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room,
                .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n_fds);
        if (sendmsg(ch->fd, &msg, MSG_NOSIGNAL) != 1)
                return errno == EAGAIN ? -EAGAIN : error_origin(-errno);
        buf_consume(&ch->out, 1);
        return 0;
}

int channel_send_fds(struct channel *ch, const struct wire_message *m, uint64_t seq, const void *body, const int *fds,
        int n_fds)
{
        int r = channel_flush(ch);

        assert(n_fds > 0 && n_fds <= FD_PASS_MAX);
        if (r)
                return r == CHANNEL_AGAIN ? -EAGAIN : r == CHANNEL_CLOSED ? -EPIPE : r;
        r = channel_send(ch, m, seq, body);
        if (r < 0)
                return r;
        r = send_first_byte(ch, fds, n_fds);
        if (r < 0)
                buf_consume(&ch->out, buf_size(&ch->out));
        return r < 0 ? r : channel_flush(ch);
}

int channel_take_fd(struct channel *ch)
{
        int fd;

        if (!ch->n_passed)
                return -1;
        fd = ch->passed[0];
        memmove(ch->passed, ch->passed + 1, sizeof(int) * (size_t)--ch->n_passed);
        return fd;
}
