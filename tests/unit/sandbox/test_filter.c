/* The filter as a program: every system call number of the machine, run through it, must come out as the table says. */
#include "meaning.h"
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

static uint32_t expected(enum filter_action action, const __u64 *args, enum filter_action rest)
{
        const uint32_t outcomes[FILTER_ACTIONS] = {
                [FILTER_KILL] = SECCOMP_RET_KILL_PROCESS,
                [FILTER_ALLOW] = SECCOMP_RET_ALLOW,
                [FILTER_REFUSE] = SECCOMP_RET_ERRNO | EACCES,
                [FILTER_ABSENT] = SECCOMP_RET_ERRNO | ENOSYS,
        };

        return outcomes[filter_meaning(action, args, rest)];
}

/* Arguments that some row may care for, each also with rubbish in the half that the kernel does not look at. */
static const uint64_t interesting[] = {0, 1, 2, 3, 4, 5, 6, 10, 11, 16, 17, 25, SIGSYS, 41, 63, 95, 132, 262, O_CREAT, O_TRUNC | O_WRONLY,
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
