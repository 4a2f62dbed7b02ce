/* Descriptor helpers. All of them return 0 or a negative error; none of them logs on success. */
#include "base/fd.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int fd_pair(int pair[static 2])
{
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return error_origin(-errno);
        return 0;
}

int fd_set_nonblock(int fd, int on)
{
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) < 0)
                return error_origin(-errno);
        return 0;
}

int fd_keep_on_exec(int fd)
{
        int flags = fcntl(fd, F_GETFD);

        if (flags < 0 || fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) < 0)
                return error_origin(-errno);
        return 0;
}

int fd_pipe(int *read_end, int *write_end)
{
        int pipes[2], r;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return error_origin(-errno);
        r = fd_set_nonblock(pipes[0], 1);
        if (r < 0) {
                close(pipes[0]);
                close(pipes[1]);
                return r;
        }
        *read_end = pipes[0];
        *write_end = pipes[1];
        return 0;
}

static int close_span(unsigned int first, unsigned int last)
{
        if (first > last)
                return 0;
        if (syscall(SYS_close_range, first, last, 0) < 0)
                return error_origin(-errno);
        return 0;
}

int fd_close_from(int first, int keep)
{
        int r;

        if (keep < first)
                return close_span((unsigned int)first, UINT_MAX);
        r = close_span((unsigned int)first, (unsigned int)keep - 1);
        return r < 0 ? r : close_span((unsigned int)keep + 1, UINT_MAX);
}

int fd_fill_stdio(void)
{
        /* The lowest free number is what open() returns. */
        for (int fd = 0; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_RDONLY : O_WRONLY) < 0)
                        return error_origin(-errno);
        return 0;
}

int fd_null_stdio(void)
{
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (fd < 0)
                return error_origin(-errno);
        for (int i = 0; i < 3; i++)
                if (dup2(fd, i) < 0)
                        return error_origin(-errno);
        if (fd > 2)
                close(fd);
        return 0;
}

/* Room for one descriptor; what comes beyond is closed by the kernel, which says that it did. */
union passed_one {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
};

int fd_send_record(int sock, const void *record, size_t size, int passed)
{
        union passed_one control = {0};
        struct iovec part = {.iov_base = (void *)record, .iov_len = size};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        ssize_t n;

        if (passed >= 0) {
                message.msg_control = &control;
                message.msg_controllen = sizeof(control);
                control.header = (struct cmsghdr){
                        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
                memcpy(CMSG_DATA(&control.header), &passed, sizeof(int));
        }
        while ((n = sendmsg(sock, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR)
                ;
        return n < 0 ? error_origin(-errno) : 0;
}

int fd_receive_record(int sock, void *record, size_t size, int *passed)
{
        union passed_one control = {0};
        struct iovec part = {.iov_base = record, .iov_len = size};
        struct msghdr message = {.msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control)};
        ssize_t n;

        *passed = -1;
        while ((n = recvmsg(sock, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
                ;
        if (n < 0)
                return error_origin(-errno);
        if (message.msg_controllen >= CMSG_LEN(sizeof(int)) && control.header.cmsg_type == SCM_RIGHTS)
                memcpy(passed, CMSG_DATA(&control.header), sizeof(int));
        if ((size_t)n == size && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
                return 0;
        if (*passed >= 0)
                close(TAKE_FD(*passed));
        return n ? error_origin(-EBADMSG) : 1;
}
