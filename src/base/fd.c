/* Descriptor helpers. All of them return 0 or a negative error; none of them logs on success. */
#include "base/fd.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
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
