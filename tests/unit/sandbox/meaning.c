/* One function for each word that looks at arguments. */
#include "meaning.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>

static bool socket_is_inet(const __u64 *a)
{
        uint32_t family = (uint32_t)a[0], type = (uint32_t)a[1] & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
        uint32_t protocol = (uint32_t)a[2];

        if (family != AF_INET && family != AF_INET6)
                return false;
        return (type == SOCK_STREAM && (!protocol || protocol == IPPROTO_TCP)) ||
               (type == SOCK_DGRAM && (!protocol || protocol == IPPROTO_UDP));
}

static bool is_known_option(const __u64 *a)
{
        uint32_t level = (uint32_t)a[1], option = (uint32_t)a[2];

        return (level == IPPROTO_TCP && option == TCP_NODELAY) ||
               (level == IPPROTO_IP && option == IP_RECVERR) ||
               (level == IPPROTO_IPV6 && option == IPV6_RECVERR);
}

static bool is_stream_pair(const __u64 *a)
{
        return (uint32_t)a[0] == AF_UNIX && !(uint32_t)a[2] &&
               ((uint32_t)a[1] & ~(uint32_t)(SOCK_CLOEXEC | SOCK_NONBLOCK)) == SOCK_STREAM;
}

static bool is_flags(const __u64 *a)
{
        uint32_t command = (uint32_t)a[1];

        return command == F_GETFD || command == F_SETFD || command == F_GETFL || command == F_SETFL;
}

static bool is_thread(const __u64 *a)
{
        const uint64_t may = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND |
                             CLONE_THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

        return (a[0] & CLONE_THREAD) && !(a[0] & ~may);
}

static bool is_own(const __u64 *a)
{
        return !(a[0] & (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
                                CLONE_NEWUTS | CLONE_NEWCGROUP));
}

static bool socket_is_usual(const __u64 *a)
{
        return socket_is_inet(a) || (uint32_t)a[0] == AF_UNIX ||
               ((uint32_t)a[0] == AF_NETLINK && !(uint32_t)a[2]);
}

static bool steers_a_terminal(const __u64 *a)
{
        static const uint32_t asks[] = {TCGETS, TIOCGWINSZ, TIOCGPGRP, TIOCGSID, TIOCOUTQ, FIONREAD, FIONBIO,
                FIOCLEX, FIONCLEX, FIOASYNC, FIOQSIZE};
        uint32_t request = (uint32_t)a[1];

        for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++)
                if (request == asks[i])
                        return false;
        return (request >> 8 & 0xff) == 'T' && !(request >> 30);
}

static bool is_usual_persona(const __u64 *a)
{
        uint32_t p = (uint32_t)a[0];

        return p == PER_LINUX || p == PER_LINUX32 || p == UNAME26 || p == ADDR_NO_RANDOMIZE ||
               p == 0xffffffff;
}

static bool leaves_sigsys(const __u64 *a)
{
        uint32_t bits = (uint32_t)a[0];

        return !a[1] || (bits & 31) != 31 || (bits & 96);
}

enum filter_action filter_meaning(enum filter_action action, const __u64 a[6], enum filter_action rest)
{
        switch (action) {
        case FILTER_NOEXEC:
                return a[2] & PROT_EXEC ? rest : FILTER_ALLOW;
        case FILTER_RDONLY:
                if (a[2] & (O_CREAT | O_TRUNC | O_PATH | O_WRONLY | O_RDWR))
                        return FILTER_REFUSE;
                return FILTER_ALLOW;
        case FILTER_INET:
                if ((uint32_t)a[0] == AF_UNIX || (uint32_t)a[0] == AF_NETLINK)
                        return FILTER_REFUSE;
                return socket_is_inet(a) ? FILTER_ALLOW : rest;
        case FILTER_OPTION:
                return is_known_option(a) ? FILTER_ALLOW : rest;
        case FILTER_PAIR:
                return is_stream_pair(a) ? FILTER_ALLOW : rest;
        case FILTER_FLAGS:
                return is_flags(a) ? FILTER_ALLOW : rest;
        case FILTER_PENDING:
                return (uint32_t)a[1] == FIONREAD ? FILTER_ALLOW : rest;
        case FILTER_HANDLER:
                return leaves_sigsys(a) ? FILTER_ALLOW : rest;
        case FILTER_SELF:
                return (uint32_t)a[0] ? rest : FILTER_ALLOW;
        case FILTER_THREAD:
                return is_thread(a) ? FILTER_ALLOW : rest;
        case FILTER_OWN:
                return is_own(a) ? FILTER_ALLOW : FILTER_REFUSE;
        case FILTER_SOCKET:
                return socket_is_usual(a) ? FILTER_ALLOW : rest;
        case FILTER_UNIX:
                return (uint32_t)a[0] == AF_UNIX ? FILTER_ALLOW : rest;
        case FILTER_IOCTL:
                return steers_a_terminal(a) ? rest : FILTER_ALLOW;
        case FILTER_PERSONA:
                return is_usual_persona(a) ? FILTER_ALLOW : rest;
        default:
                return action;
        }
}
