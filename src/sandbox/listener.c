/* The kernel's structures may be larger than those of the header: only what is older than any such kernel is
 * used. */
#include "sandbox/listener.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
};

static int send_listener(int to, int listener, struct listener_filter of)
{
        union control control = {.head = {.cmsg_level = SOL_SOCKET,
                                         .cmsg_type = SCM_RIGHTS,
                                         .cmsg_len = CMSG_LEN(sizeof(int))}};
        struct iovec iov = {.iov_base = &of, .iov_len = sizeof(of)};
        struct msghdr msg = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};

        memcpy(CMSG_DATA(&control.head), &listener, sizeof(listener));
        return sendmsg(to, &msg, MSG_NOSIGNAL) < 0 ? error_origin(-errno) : 0;
}

int listener_load(const struct filter *f, int to)
{
        int listener = filter_load_listening(f), r;

        if (listener < 0)
                return listener;
        r = send_listener(to, listener, (struct listener_filter){f->profile, f->starts});
        close(listener);
        return r;
}

int listener_receive(int from, struct listener_filter *of)
{
        union control control;
        struct iovec iov = {.iov_base = of, .iov_len = sizeof(*of)};
        struct msghdr msg = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(from, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        struct cmsghdr *head = n == sizeof(*of) ? CMSG_FIRSTHDR(&msg) : NULL;
        int fd;

        if (n < 0)
                return -errno;
        if (!head || head->cmsg_type != SCM_RIGHTS || head->cmsg_len != CMSG_LEN(sizeof(fd)))
                return -EPIPE;
        memcpy(&fd, CMSG_DATA(head), sizeof(fd));
        return fd;
}

int listener_next(int listener, struct seccomp_notif *call)
{
        memset(call, 0, sizeof(*call));
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, call) == 0)
                return 0;
        return errno == ENOENT || errno == EINTR ? 1 : error_origin(-errno);
}

bool listener_waits(int listener, const struct seccomp_notif *call)
{
        return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) == 0;
}

int listener_let(int listener, const struct seccomp_notif *call)
{
        struct seccomp_notif_resp answer = {.id = call->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

        return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0 && errno != ENOENT
                       ? error_origin(-errno)
                       : 0;
}
