/* Arguments that the kernel takes as an int are compared by their low half: it does not look at the other
 * one. */
#include "sandbox/conditions.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
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
#define SOCKETS(name, family, type, protocol)                                                                \
        PASS(name, 3, IS(0, family), TYPE(type), IS(2, 0)),                                                  \
                PASS(name, 3, IS(0, family), TYPE(type), IS(2, protocol))
#define TCP_AND_UDP(name)                                                                                    \
        SOCKETS(name, AF_INET, SOCK_STREAM, IPPROTO_TCP), SOCKETS(name, AF_INET, SOCK_DGRAM, IPPROTO_UDP),   \
                SOCKETS(name, AF_INET6, SOCK_STREAM, IPPROTO_TCP),                                           \
                SOCKETS(name, AF_INET6, SOCK_DGRAM, IPPROTO_UDP)

/* The old requests of terminals have the letter T and say neither that they read nor that they write (the two highest bits).
 * A request that has another letter by this bit; that is this one of theirs. */
#define LETTER ((uint64_t)'T' << 8)
#define NOT_T(bit) PASS(IOCTL, 1, {1, SCMP_CMP_MASKED_EQ, UINT64_C(1) << (bit), ~LETTER & (UINT64_C(1) << (bit))})
#define NOT_T4(bit) NOT_T(bit), NOT_T(bit + 1), NOT_T(bit + 2), NOT_T(bit + 3)
#define ASKS(request) PASS(IOCTL, 1, IS(1, request))
/* clang-format on */

/* Whatever may be set, and nothing that would take a thread out of its process. */
#define OF_A_THREAD                                                                                          \
        (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_SETTLS |                  \
                CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)

#define NAMESPACES                                                                                           \
        (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

const struct filter_condition filter_conditions[] = {
        PASS(NOEXEC, 1, HAS_NONE(2, PROT_EXEC)),

        PASS(RDONLY, 1, HAS_NONE(2, O_ACCMODE | O_CREAT | O_TRUNC | O_PATH)),
        REFUSE(RDONLY, 1, HAS(2, O_WRONLY)),
        REFUSE(RDONLY, 1, HAS(2, O_RDWR)),
        REFUSE(RDONLY, 1, HAS(2, O_CREAT)),
        REFUSE(RDONLY, 1, HAS(2, O_TRUNC)),
        REFUSE(RDONLY, 1, HAS(2, O_PATH)),

        TCP_AND_UDP(INET),
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

        /* SIGSYS is 31, and the only signal up to 64 with just these five bits. */
        PASS(HANDLER, 1, {1, SCMP_CMP_MASKED_EQ, UINT64_MAX, 0}),
        PASS(HANDLER, 1, HAS_NONE(0, 1)),
        PASS(HANDLER, 1, HAS_NONE(0, 2)),
        PASS(HANDLER, 1, HAS_NONE(0, 4)),
        PASS(HANDLER, 1, HAS_NONE(0, 8)),
        PASS(HANDLER, 1, HAS_NONE(0, 16)),
        PASS(HANDLER, 1, HAS(0, 32)),
        PASS(HANDLER, 1, HAS(0, 64)),

        PASS(SELF, 1, IS(0, 0)),

        PASS(THREAD, 1, {0, SCMP_CMP_MASKED_EQ, ~(uint64_t)OF_A_THREAD, CLONE_THREAD}),

        PASS(OWN, 1, HAS_NONE(0, NAMESPACES)),
        REFUSE(OWN, 1, HAS(0, CLONE_NEWUSER)),
        REFUSE(OWN, 1, HAS(0, CLONE_NEWNS)),
        REFUSE(OWN, 1, HAS(0, CLONE_NEWPID)),
        REFUSE(OWN, 1, HAS(0, CLONE_NEWNET)),
        REFUSE(OWN, 1, HAS(0, CLONE_NEWIPC)),
        REFUSE(OWN, 1, HAS(0, CLONE_NEWUTS)),
        REFUSE(OWN, 1, HAS(0, CLONE_NEWCGROUP)),

        TCP_AND_UDP(SOCKET),
        PASS(SOCKET, 1, IS(0, AF_UNIX)),
        PASS(SOCKET, 2, IS(0, AF_NETLINK), IS(2, NETLINK_ROUTE)),
        PASS(UNIX, 1, IS(0, AF_UNIX)),

        PASS(IOCTL, 1, HAS(1, UINT64_C(1) << 31)),
        PASS(IOCTL, 1, HAS(1, UINT64_C(1) << 30)),
        NOT_T4(8),
        NOT_T4(12),
        ASKS(TCGETS),
        ASKS(TIOCGWINSZ),
        ASKS(TIOCGPGRP),
        ASKS(TIOCGSID),
        ASKS(TIOCOUTQ),
        ASKS(FIONREAD),
        ASKS(FIONBIO),
        ASKS(FIOCLEX),
        ASKS(FIONCLEX),
        ASKS(FIOASYNC),
        ASKS(FIOQSIZE),

        PASS(PERSONA, 1, IS(0, PER_LINUX)),
        PASS(PERSONA, 1, IS(0, PER_LINUX32)),
        PASS(PERSONA, 1, IS(0, UNAME26)),
        PASS(PERSONA, 1, IS(0, ADDR_NO_RANDOMIZE)),
        PASS(PERSONA, 1, IS(0, 0xffffffff)),
};
const size_t filter_n_conditions = sizeof(filter_conditions) / sizeof(filter_conditions[0]);
