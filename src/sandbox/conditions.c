/* Arguments that the kernel takes as an int are compared by their low half: it does not look at the other
 * one. */
#include "sandbox/conditions.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* clang-format off */
#define LOW UINT64_C(0xffffffff)
#define IS(argument, value) {argument, SCMP_CMP_MASKED_EQ, LOW, value}
#define HAS(argument, bit) {argument, SCMP_CMP_MASKED_EQ, bit, bit}
#define HAS_NONE(argument, bits) {argument, SCMP_CMP_MASKED_EQ, bits, 0}

#define PASS(name, n, ...) {FILTER_##name, FILTER_ALLOW, n, {__VA_ARGS__}}
#define REFUSE(name, n, ...) {FILTER_##name, FILTER_REFUSE, n, {__VA_ARGS__}}

/* A socket's second argument is its type with flags. */
#define TYPE(type) {1, SCMP_CMP_MASKED_EQ, LOW & ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK), type}
#define SOCKETS(family, type, protocol)                                                                      \
        PASS(INET, 3, IS(0, family), TYPE(type), IS(2, 0)),                                                  \
                PASS(INET, 3, IS(0, family), TYPE(type), IS(2, protocol))
/* clang-format on */

/* Whatever may be set, and nothing that would take a thread out of its process. */
#define OF_A_THREAD                                                                                          \
        (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_SETTLS |                  \
                CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

const struct filter_condition filter_conditions[] = {
        PASS(NOEXEC, 1, HAS_NONE(2, PROT_EXEC)),

        PASS(RDONLY, 1, HAS_NONE(2, O_ACCMODE | O_CREAT | O_TRUNC | O_PATH)),
        REFUSE(RDONLY, 1, HAS(2, O_WRONLY)),
        REFUSE(RDONLY, 1, HAS(2, O_RDWR)),
        REFUSE(RDONLY, 1, HAS(2, O_CREAT)),
        REFUSE(RDONLY, 1, HAS(2, O_TRUNC)),
        REFUSE(RDONLY, 1, HAS(2, O_PATH)),

        SOCKETS(AF_INET, SOCK_STREAM, IPPROTO_TCP),
        SOCKETS(AF_INET, SOCK_DGRAM, IPPROTO_UDP),
        SOCKETS(AF_INET6, SOCK_STREAM, IPPROTO_TCP),
        SOCKETS(AF_INET6, SOCK_DGRAM, IPPROTO_UDP),
        /* libc asks a cache of names and the kernel's routes first, and goes on without them. */
        REFUSE(INET, 1, IS(0, AF_UNIX)),
        REFUSE(INET, 1, IS(0, AF_NETLINK)),

        PASS(OPTION, 2, IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)),
        PASS(OPTION, 2, IS(1, IPPROTO_IP), IS(2, IP_RECVERR)),
        PASS(OPTION, 2, IS(1, IPPROTO_IPV6), IS(2, IPV6_RECVERR)),

        PASS(PAIR, 3, IS(0, AF_UNIX), TYPE(SOCK_STREAM), IS(2, 0)),

        PASS(FLAGS, 1, IS(1, F_GETFD)),
        PASS(FLAGS, 1, IS(1, F_SETFD)),
        PASS(FLAGS, 1, IS(1, F_GETFL)),
        PASS(FLAGS, 1, IS(1, F_SETFL)),

        PASS(PENDING, 1, IS(1, FIONREAD)),

        PASS(THREAD, 1, {0, SCMP_CMP_MASKED_EQ, ~(uint64_t)OF_A_THREAD, CLONE_THREAD}),
};
const size_t filter_n_conditions = sizeof(filter_conditions) / sizeof(filter_conditions[0]);
