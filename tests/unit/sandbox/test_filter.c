/* The filter as a program: every system call number of the machine, run through it, must come out as the table says. */
#include "sandbox/filter.h"
#include "sandbox/instrument.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <cmocka.h>

#if defined(__x86_64__)
enum { OTHER_ARCH = AUDIT_ARCH_I386 };
static const uint32_t own_arch = AUDIT_ARCH_X86_64;
#else
enum { OTHER_ARCH = AUDIT_ARCH_ARM };
static const uint32_t own_arch = AUDIT_ARCH_AARCH64;
#endif
enum { X32_BIT = 0x40000000, NUMBERS = 1024 };

static struct filter filter;

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
        uint32_t word;

        assert_true(offset <= sizeof(*data) - sizeof(word));
        memcpy(&word, (const char *)data + offset, sizeof(word));
        return word;
}

static int jump_taken(const struct sock_filter *i, uint32_t a)
{
        switch (BPF_OP(i->code)) {
        case BPF_JEQ:
                return a == i->k;
        case BPF_JGT:
                return a > i->k;
        case BPF_JGE:
                return a >= i->k;
        case BPF_JSET:
                return (a & i->k) != 0;
        }
        fail_msg("jump 0x%x is not known to this test", i->code);
        return 0;
}

/* What the kernel would do with it: the part of classic BPF that libseccomp uses. */
static uint32_t outcome(const struct seccomp_data *data)
{
        uint32_t a = 0;

        for (unsigned int pc = 0; pc < filter.len; pc++) {
                const struct sock_filter *i = &filter.code[pc];

                if (i->code == (BPF_LD | BPF_W | BPF_ABS))
                        a = load(data, i->k);
                else if (i->code == (BPF_ALU | BPF_AND | BPF_K))
                        a &= i->k;
                else if (i->code == (BPF_JMP | BPF_JA))
                        pc += i->k;
                else if (BPF_CLASS(i->code) == BPF_JMP)
                        pc += jump_taken(i, a) ? i->jt : i->jf;
                else if (i->code == (BPF_RET | BPF_K))
                        return i->k;
                else
                        fail_msg("instruction 0x%x is not known to this test", i->code);
        }
        fail_msg("the program runs off its end");
        return 0;
}

static const struct filter_rule *rule_of(int number)
{
        for (size_t i = 0; i < filter_n_rules; i++)
                if (filter_rules[i].number == number)
                        return &filter_rules[i];
        return NULL;
}

/* What the table's words mean, said a second time. */
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

        return (level == IPPROTO_TCP && option == TCP_NODELAY) || (level == IPPROTO_IP && option == IP_RECVERR) ||
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
        const uint64_t may = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD |
                CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;

        return (a[0] & CLONE_THREAD) && !(a[0] & ~may);
}

static bool is_own(const __u64 *a)
{
        return !(a[0] & (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                                CLONE_NEWCGROUP));
}

static bool socket_is_usual(const __u64 *a)
{
        return socket_is_inet(a) || (uint32_t)a[0] == AF_UNIX || ((uint32_t)a[0] == AF_NETLINK && !(uint32_t)a[2]);
}

static bool steers_a_terminal(const __u64 *a)
{
        static const uint32_t asks[] = {TCGETS, TIOCGWINSZ, TIOCGPGRP, TIOCGSID, TIOCOUTQ, FIONREAD, FIONBIO, FIOCLEX,
                FIONCLEX, FIOASYNC, FIOQSIZE};
        uint32_t request = (uint32_t)a[1];

        for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++)
                if (request == asks[i])
                        return false;
        return (request >> 8 & 0xff) == 'T' && !(request >> 30);
}

static bool is_usual_persona(const __u64 *a)
{
        uint32_t p = (uint32_t)a[0];

        return p == PER_LINUX || p == PER_LINUX32 || p == UNAME26 || p == ADDR_NO_RANDOMIZE || p == 0xffffffff;
}

static enum filter_action meaning(enum filter_action action, const __u64 *a, enum filter_action rest)
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

static uint32_t expected(enum filter_action action, const __u64 *args, enum filter_action rest)
{
        const uint32_t outcomes[FILTER_ACTIONS] = {
                [FILTER_KILL] = SECCOMP_RET_KILL_PROCESS,
                [FILTER_ALLOW] = SECCOMP_RET_ALLOW,
                [FILTER_REFUSE] = SECCOMP_RET_ERRNO | EACCES,
                [FILTER_ABSENT] = SECCOMP_RET_ERRNO | ENOSYS,
        };

        return outcomes[meaning(action, args, rest)];
}

/* Arguments that some row may care for, each also with rubbish in the half that the kernel does not look at. */
static const uint64_t interesting[] = {0, 1, 2, 3, 4, 5, 6, 10, 11, 16, 17, 25, 41, 132, 262, O_CREAT, O_TRUNC | O_WRONLY,
        O_PATH, O_RDWR | O_CLOEXEC, O_CLOEXEC, SOCK_STREAM | SOCK_CLOEXEC, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
        SOCK_RAW | SOCK_NONBLOCK, F_SETOWN, F_SETSIG, F_DUPFD_CLOEXEC, FIONREAD, TIOCSTI, TIOCLINUX, TIOCSETD, TIOCSCTTY,
        TCGETS, FIONBIO, SIOCATMARK, TIOCGPTN, SIGCHLD, CLONE_NEWUSER | SIGCHLD, CLONE_NEWNS | CLONE_NEWPID, CLONE_NEWNET,
        CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP, AF_VSOCK, AF_ALG, PER_LINUX32, UNAME26, ADDR_NO_RANDOMIZE,
        READ_IMPLIES_EXEC, 0xffffffff, CLONE_THREAD,
        CLONE_VM | CLONE_VFORK | SIGCHLD, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, CLONE_THREAD | CLONE_NEWUSER,
        CLONE_THREAD | CLONE_PARENT, 0x3d0f00, 0x3d0f00 | CLONE_PIDFD, 0x3d0f00 | SIGCHLD, PROT_READ | PROT_EXEC, UINT64_MAX};
enum { N_INTERESTING = sizeof(interesting) / sizeof(interesting[0]), HALVES = 2 };

static void check_arguments(int nr, enum filter_action action, enum filter_action rest)
{
        for (size_t i = 0; i < N_INTERESTING; i++)
                for (size_t k = 0; k < N_INTERESTING; k++)
                        for (size_t m = 0; m < N_INTERESTING * HALVES; m++) {
                                uint64_t high = m % HALVES ? UINT64_C(0xdead) << 32 : 0;
                                struct seccomp_data data = {.nr = nr, .arch = own_arch,
                                        .args = {interesting[i] | high, interesting[k] | high, interesting[m / HALVES] | high}};

                                if (outcome(&data) != expected(action, data.args, rest))
                                        fail_msg("call %d with 0x%llx, 0x%llx, 0x%llx", nr, (unsigned long long)data.args[0],
                                                (unsigned long long)data.args[1], (unsigned long long)data.args[2]);
                        }
}

static bool looks_at_arguments(enum filter_action action)
{
        return action > FILTER_ALLOW && action < FILTER_REFUSE;
}

static void check_every_number(enum profile profile, bool starts)
{
        size_t met = 0;

        for (int nr = 0; nr < NUMBERS; nr++) {
                const struct filter_rule *rule = rule_of(nr);
                enum filter_action action = rule ? filter_answer(rule, profile, starts) : filter_rest(profile);

                met += rule != NULL;
                for (size_t i = 0; i < N_INTERESTING; i++) {
                        struct seccomp_data data = {.nr = nr, .arch = own_arch,
                                .args = {interesting[i], interesting[i], interesting[i]}};

                        assert_int_equal(outcome(&data), expected(action, data.args, filter_rest(profile)));
                }
                if (looks_at_arguments(action))
                        check_arguments(nr, action, filter_rest(profile));
        }
        /* Every row was among them, unless the machine has no such call. */
        for (size_t i = 0; i < filter_n_rules; i++)
                met += filter_rules[i].number < 0;
        assert_int_equal(met, filter_n_rules);
}

static void every_number_comes_out_as_the_table_says(void **state)
{
        (void)state;
        for (int profile = 0; profile < PROFILES; profile++)
                for (int starts = 0; starts < 2; starts++) {
                        filter_fini(&filter);
                        assert_int_equal(filter_build(&filter, (enum profile)profile, starts), 0);
                        check_every_number((enum profile)profile, starts);
                }
}

static void no_other_architecture_gets_in(void **state)
{
        (void)state;
        for (int nr = 0; nr < NUMBERS; nr++) {
                struct seccomp_data other = {.nr = nr, .arch = OTHER_ARCH};
                struct seccomp_data x32 = {.nr = nr | X32_BIT, .arch = own_arch};

                assert_int_equal(outcome(&other), SECCOMP_RET_KILL_PROCESS);
                assert_int_equal(outcome(&x32), SECCOMP_RET_KILL_PROCESS);
        }
}

static void what_is_no_number_at_all_kills(void **state)
{
        struct seccomp_data data = {.nr = -1, .arch = own_arch};

        (void)state;
        filter_fini(&filter);
        assert_int_equal(filter_build(&filter, PROFILE_JS, false), 0);
        assert_int_equal(outcome(&data), SECCOMP_RET_KILL_PROCESS);
}

/* A row without a reason, or twice, would be a policy that nobody can check. */
static void every_row_has_its_reason_once(void **state)
{
        (void)state;
        for (size_t i = 0; i < filter_n_rules; i++) {
                assert_true(strlen(filter_rules[i].reason) > 0);
                for (size_t k = 0; k < i; k++)
                        assert_string_not_equal(filter_rules[i].name, filter_rules[k].name);
        }
}

static void a_class_without_a_column_is_refused(void **state)
{
        (void)state;
        assert_int_equal(profile_find("js"), PROFILE_JS);
        assert_int_equal(profile_find("shell"), PROFILE_SHELL);
        assert_int_equal(profile_find("no-such"), -ENOTSUP);
}

static int build(void **state)
{
        (void)state;
        return filter_build(&filter, PROFILE_JS, false);
}

static int discard(void **state)
{
        (void)state;
        filter_fini(&filter);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(every_number_comes_out_as_the_table_says),
                cmocka_unit_test(no_other_architecture_gets_in),
                cmocka_unit_test(what_is_no_number_at_all_kills),
                cmocka_unit_test(every_row_has_its_reason_once),
                cmocka_unit_test(a_class_without_a_column_is_refused),
        };

        if (RUNNING_ON_VALGRIND) {
                puts("1..0 # SKIP valgrind knows no seccomp(2)");
                return 0;
        }
        return cmocka_run_group_tests_name("filter", tests, build, discard);
}
