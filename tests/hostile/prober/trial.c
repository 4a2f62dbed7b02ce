/* The call itself is made by hand: a child of vfork(2) comes back as well, on its parent's stack. */
#include "trial.h"

#include "meaning.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* The newest kernels have some 470; x32 has some of its own from 512 on. */
enum { NUMBERS = 512 + 64, X32_BIT = 0x40000000, SHORT_MS = 100, LONG_MS = 10000 };

#define NOTHING UINT64_MAX
#define REST NOTHING, NOTHING, NOTHING

/* For the rows that look at arguments: some that pass. What of them is a pointer or a descriptor leads
 * nowhere, so that the kernel has nothing to do. All others get nothing at all. */
static const __u64 passing[FILTER_ACTIONS][6] = {
        [FILTER_OWN] = {SIGCHLD, 0, 0, 0, 0, 0},
        [FILTER_SOCKET] = {AF_UNIX, SOCK_STREAM, 0, REST},
        [FILTER_UNIX] = {AF_UNIX, SOCK_STREAM, 0, REST},
        [FILTER_IOCTL] = {NOTHING, TCGETS, NOTHING, REST},
        [FILTER_PERSONA] = {0xffffffff, NOTHING, NOTHING, REST},
        [FILTER_NOEXEC] = {0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, NOTHING, 0},
        [FILTER_RDONLY] = {NOTHING, NOTHING, 0, REST},
        [FILTER_INET] = {AF_INET, SOCK_STREAM, 0, REST},
        [FILTER_OPTION] = {NOTHING, IPPROTO_TCP, TCP_NODELAY, REST},
        [FILTER_PAIR] = {AF_UNIX, SOCK_STREAM, 0, REST},
        [FILTER_FLAGS] = {NOTHING, 1, NOTHING, REST},
        [FILTER_PENDING] = {NOTHING, FIONREAD, NOTHING, REST},
        [FILTER_HANDLER] = {SIGUSR1, NOTHING, NOTHING, REST},
        [FILTER_SELF] = {0, NOTHING, 0, 0, NOTHING, NOTHING},
        /* A thread with such a TLS cannot be made. */
        [FILTER_THREAD] = {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS,
                NOTHING, NOTHING, REST},
};
static const __u64 nothing[6] = {NOTHING, NOTHING, NOTHING, REST};

struct trial *trial_new(void)
{
        struct trial *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert_ptr_not_equal(t, MAP_FAILED);
        return t;
}

/* ---- all of them ---- */

static const struct filter_rule *rule_of(int number)
{
        for (size_t i = 0; number >= 0 && i < filter_n_rules; i++)
                if (filter_rules[i].number == number)
                        return &filter_rules[i];
        return NULL;
}

struct round {
        struct trial *t;
        void (*go)(struct trial *t, void *arg);
        void *arg;
        unsigned int n;
};

static void try_with(struct round *r, const __u64 args[6])
{
        memcpy(r->t->args, args, sizeof(r->t->args));
        r->t->answered = false;
        r->t->patience_ms = SHORT_MS;
        r->go(r->t, r->arg);
        r->n++;
}

static void try_native(struct round *r, int number, enum profile profile, bool starts)
{
        const struct filter_rule *rule = rule_of(number);
        enum filter_action rest = filter_rest(profile),
                           action = rule ? filter_answer(rule, profile, starts) : rest;

        r->t->entry = ENTRY_NATIVE;
        r->t->number = number;
        r->t->name = rule ? rule->name : "without a row";
        r->t->expected = filter_meaning(action, nothing, rest);
        try_with(r, nothing);
        if (action <= FILTER_ALLOW || action >= FILTER_REFUSE)
                return;
        r->t->expected = filter_meaning(action, passing[action], rest);
        assert_int_equal(r->t->expected, FILTER_ALLOW);
        try_with(r, passing[action]);
}

unsigned int trials_each(
        enum profile profile, bool starts, struct trial *t, void (*go)(struct trial *t, void *arg), void *arg)
{
        struct round r = {t, go, arg, 0};

        for (int number = -1; number < NUMBERS; number++)
                try_native(&r, number, profile, starts);
#ifdef __x86_64__
        t->name = "by another architecture's entry";
        t->expected = FILTER_KILL;
        for (int number = 0; number < 2 * NUMBERS; number++) {
                t->entry = number < NUMBERS ? ENTRY_X32 : ENTRY_I386;
                t->number = number % NUMBERS;
                try_with(&r, nothing);
        }
#endif
        return r.n;
}

/* ---- one of them ---- */

#ifdef __x86_64__
static inline __attribute__((always_inline)) int64_t enter_native(long number, const __u64 a[static 6])
{
        register __u64 r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
        int64_t r;

        __asm__ volatile("syscall"
                         : "=a"(r)
                         : "0"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
        return r;
}

static inline __attribute__((always_inline)) int64_t enter_i386(int number)
{
        int64_t r;

        __asm__ volatile("int $0x80"
                         : "=a"(r)
                         : "0"((int64_t)number), "b"(-1L), "c"(-1L), "d"(-1L), "S"(-1L), "D"(-1L)
                         : "memory", "r8", "r9", "r10", "r11");
        return r;
}

static inline __attribute__((always_inline)) int64_t enter(const struct trial *t)
{
        if (t->entry == ENTRY_I386)
                return enter_i386(t->number);
        return enter_native(t->entry == ENTRY_X32 ? t->number | X32_BIT : t->number, t->args);
}
#else
static int64_t enter(const struct trial *t)
{
        const __u64 *a = t->args;
        long r = syscall(t->number, a[0], a[1], a[2], a[3], a[4], a[5]);

        return r < 0 ? -errno : r;
}
#endif

_Noreturn void trial_make(struct trial *t)
{
        struct itimerval timer = {.it_value = {t->patience_ms / 1000, t->patience_ms % 1000 * 1000}};

        setitimer(ITIMER_REAL, &timer, NULL);
        t->answer = enter(t);
        t->answered = true;
        _exit(0);
}

/* What the kernel itself says, without any filter. */
static int64_t answer_outside(struct trial *t)
{
        pid_t pid;

        t->answered = false;
        pid = fork();
        assert_true(pid >= 0);
        if (!pid)
                trial_make(t);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        return t->answered ? t->answer : 0;
}

/* A kernel without the 32-bit entry faults there before the filter is asked. */
static bool faults_outside(struct trial *t)
{
        pid_t pid = fork();
        int status;

        if (!pid)
                trial_make(t);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

/* uretprobe(2) and uprobe(2): newer kernels ask no filter about them, and do nothing for whoever does not
 * come from their own trampoline. poppo-sandbox(7) says so. */
static bool ended_before_the_filter(const struct trial *t, int signal)
{
#ifdef __x86_64__
        enum { URETPROBE = 335, UPROBE = 336 };

        if (t->entry != ENTRY_NATIVE)
                return false;
        return (t->number == URETPROBE && signal == SIGILL) ||
               (t->number == UPROBE && t->answered && t->answer == -ENXIO);
#else
        (void)t;
        (void)signal;
        return false;
#endif
}

static bool ended_as_expected(struct trial *t, int status)
{
        int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        int64_t answer = t->answer;

        if (ended_before_the_filter(t, signal))
                return true;
        switch (t->expected) {
        case FILTER_KILL:
                return !t->answered && (signal == SIGSYS || (signal == SIGSEGV && t->entry == ENTRY_I386 &&
                                                                    faults_outside(t)));
        case FILTER_REFUSE:
                return t->answered && answer == -EACCES;
        case FILTER_ABSENT:
                return t->answered && answer == -ENOSYS;
        default:
                if (!t->answered)
                        return signal != SIGSYS;
                return (answer != -EACCES && answer != -ENOSYS) || answer == answer_outside(t);
        }
}

enum trial_end trial_judge(struct trial *t, int status)
{
        struct trial as_it_ended = *t;
        bool right;

        if (!t->answered && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM &&
                t->expected != FILTER_ALLOW && t->patience_ms < LONG_MS) {
                t->patience_ms *= 10;
                return TRIAL_SLOW;
        }
        right = ended_as_expected(t, status);
        *t = as_it_ended;
        return right ? TRIAL_RIGHT : TRIAL_WRONG;
}

void trial_fail(const struct trial *t, int status)
{
        static const char *const entries[ENTRIES] = {
                [ENTRY_NATIVE] = "", [ENTRY_X32] = "x32 ", [ENTRY_I386] = "32-bit "};
        static const char *const ends[FILTER_ACTIONS] = {[FILTER_ALLOW] = "passes",
                [FILTER_REFUSE] = "EACCES",
                [FILTER_ABSENT] = "ENOSYS",
                [FILTER_KILL] = "SIGSYS"};

        fail_msg("%s%d (%s) with 0x%llx, 0x%llx, 0x%llx: answered %d with %lld, status 0x%x; the table says: "
                 "%s",
                entries[t->entry], t->number, t->name, t->args[0], t->args[1], t->args[2], t->answered,
                (long long)t->answer, status, ends[t->expected]);
}
