/* What a locked-down worker can still do, tried from inside by code that means harm, and read from outside. */
#include "nursery.h"
#include "leave_out.h"
#include "sandbox/instrument.h"
#include "spawner/lockdown.h"
#include "wire/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

extern char **environ;

static int64_t refused(long r)
{
        return r < 0 ? -errno : r;
}

static int64_t try_open(void)
{
        return refused(open("/etc/passwd", O_RDONLY));
}

static int64_t try_create(void)
{
        return refused(openat(AT_FDCWD, "/tmp/poppo-escaped", O_CREAT | O_WRONLY, 0600));
}

static int64_t try_stat(void)
{
        return refused(access("/etc/passwd", F_OK));
}

static int64_t try_readlink(void)
{
        char to[64];

        return refused(readlink("/proc/self/exe", to, sizeof(to)));
}

static int64_t try_tgkill(void)
{
        return refused(syscall(SYS_tgkill, getpid(), gettid(), 0));
}

static int64_t try_socket(void)
{
        return refused(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int64_t try_connect(void)
{
        return refused(connect(3, NULL, 0));
}

static int64_t try_fork(void)
{
        return refused(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0));
}

static int64_t try_clone3(void)
{
        return refused(syscall(SYS_clone3, NULL, 0));
}

static int64_t try_exec(void)
{
        char *const argv[] = {(char *)"/bin/true", NULL};

        return refused(execve(argv[0], argv, argv + 1));
}

static int64_t try_kill(void)
{
        return refused(kill(-1, 0));
}

static int64_t try_map_code(void)
{
        void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return at == MAP_FAILED ? -errno : 0;
}

static int64_t try_make_code(void)
{
        void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        return refused(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static int64_t try_dup(void)
{
        return refused(dup(3));
}

static int64_t try_raise_limit(void)
{
        struct rlimit most = {RLIM_INFINITY, RLIM_INFINITY};

        return refused(setrlimit(RLIMIT_NOFILE, &most));
}

static int64_t try_become_dumpable(void)
{
        return refused(prctl(PR_SET_DUMPABLE, 1));
}

static int64_t try_ptrace(void)
{
        return refused(syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, getppid(), 0, 0));
}

static int64_t try_to_catch_the_last_word(void)
{
        return refused(signal(SIGSYS, SIG_IGN) == SIG_ERR ? -1 : 0);
}

static int64_t try_io_uring(void)
{
        return refused(syscall(SYS_io_uring_setup, 1, NULL));
}

#ifdef __x86_64__
static int64_t try_int80(void)
{
        long r;

        __asm__ volatile("int $0x80" : "=a"(r) : "0"(20L) : "memory", "r8", "r9", "r10", "r11"); /* getpid of i386 */
        return r;
}

static int64_t try_x32(void)
{
        return refused(syscall(0x40000000L + SYS_getpid));
}
#endif

/* Bits: which descriptors are open; the last bit stands for all from 63 up. Only a closed one refuses to read nothing. */
static int64_t open_descriptors(void)
{
        int64_t bits = 0;

        for (int fd = 0; fd < 1024; fd++)
                if (!read(fd, NULL, 0) || errno != EBADF || !write(fd, NULL, 0) || errno != EBADF)
                        bits |= INT64_C(1) << (fd < 63 ? fd : 63);
        return bits;
}

static int64_t environment_is_declared(void)
{
        return environ[0] && !strcmp(environ[0], "TZ=UTC") && !environ[1];
}

static int64_t signals_out_of_place(void)
{
        sigset_t blocked;
        int64_t n = 0;

        sigprocmask(SIG_BLOCK, NULL, &blocked);
        for (int i = 1; i < NSIG; i++) {
                struct sigaction now;

                /* The worker's last word. */
                n += !sigaction(i, NULL, &now) && now.sa_handler != SIG_DFL && i != SIGSYS;
                n += sigismember(&blocked, i) == 1;
        }
        return n;
}

static int64_t local_time_works(void)
{
        time_t noon = 12 * 3600;
        struct tm tm;

        return localtime_r(&noon, &tm) && tm.tm_hour == 12;
}

/* Far over the limit in pieces, since one over all would be refused by overcommit anywhere. */
static int64_t map_until_refused(void)
{
        const size_t piece = 16 * 1024 * 1024;
        int64_t mib = 0;

        for (int i = 0; i < 1024; i++, mib += 16)
                if (mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) ==
                        MAP_FAILED)
                        return mib;
        return mib;
}

/* One byte with what comes along; how many bytes of descriptors came. */
static int64_t received_descriptors(void)
{
        union {
                struct cmsghdr align;
                char room[CMSG_SPACE(sizeof(int) * 4)];
        } control;
        char byte;
        struct iovec iov = {.iov_base = &byte, .iov_len = 1};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                .msg_controllen = sizeof(control)};

        if (recvmsg(3, &msg, 0) != 1)
                return -errno;
        return (int64_t)msg.msg_controllen;
}

static int64_t nothing(void)
{
        return 0;
}

enum { KILLED = 1 };

/* What is tried, and its end: KILLED by SIGSYS, or an errno. */
static const struct attempt {
        const char *name;
        int64_t (*bid)(void);
        int end;
} attempts[] = {
        {"open", try_open, -EACCES},
        {"create a file", try_create, -EACCES},
        {"stat", try_stat, -EACCES},
        {"readlink", try_readlink, -EACCES},
        {"tgkill", try_tgkill, -EACCES},
        {"socket", try_socket, KILLED},
        {"connect", try_connect, KILLED},
        {"fork", try_fork, KILLED},
        {"clone3", try_clone3, KILLED},
        {"execve", try_exec, KILLED},
        {"kill", try_kill, KILLED},
        {"mmap code", try_map_code, KILLED},
        {"mprotect to code", try_make_code, KILLED},
        {"dup", try_dup, KILLED},
        {"setrlimit", try_raise_limit, KILLED},
        {"become dumpable", try_become_dumpable, KILLED},
        {"ptrace", try_ptrace, KILLED},
        {"catch the last word", try_to_catch_the_last_word, KILLED},
        {"io_uring", try_io_uring, KILLED},
#ifdef __x86_64__
        {"int 0x80", try_int80, KILLED},
        {"x32", try_x32, KILLED},
#endif
};

enum { N_ATTEMPTS = sizeof(attempts) / sizeof(attempts[0]) };

/* Bids beside the attempts, behind them in the array. */
enum { OPEN_FDS = N_ATTEMPTS, ENVIRONMENT, SIGNALS, LOCAL_TIME, MAP, RECEIVE, NOTHING, N_BIDS };

static int64_t (*bids[N_BIDS])(void) = {
        [OPEN_FDS] = open_descriptors,
        [ENVIRONMENT] = environment_is_declared,
        [SIGNALS] = signals_out_of_place,
        [LOCAL_TIME] = local_time_works,
        [MAP] = map_until_refused,
        [RECEIVE] = received_descriptors,
        [NOTHING] = nothing,
};

static struct nursery nursery;
static struct infant infant;

static int open_nursery(void **state)
{
        struct wire_spawn_setup setup = nursery_setup();

        (void)state;
        for (int i = 0; i < N_ATTEMPTS; i++)
                bids[i] = attempts[i].bid;
        WIRE_SET(&setup, spawn_setup, max_cpu_ms, 2500);
        WIRE_SET(&setup, spawn_setup, max_tasks, 10);
        nursery_open(&nursery, bids, &setup);
        return 0;
}

static int close_nursery(void **state)
{
        (void)state;
        return nursery_close(&nursery);
}

static int spawn(void **state)
{
        (void)state;
        infant_spawn(&nursery, &infant);
        return 0;
}

static int reap(void **state)
{
        (void)state;
        return infant_reap(&infant);
}

static void assert_layer(const char *name, const char *word)
{
        struct bytes is = infant_layer(&infant, name);

        if (!wire_str_is(is, word))
                fail_msg("layer %s is %.*s, not %s", name, (int)is.len, (const char *)is.data, word);
}

static void every_layer_is_enforced(void **state)
{
        static const char *const always[] = {"session", "environment", "parentDeath", "notDumpable", "noNewPrivs"};
        static const char *const unless_instrumented[] = {"closedFds", "rlimits"};

        (void)state;
        for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
                assert_layer(always[i], "enforced");
        for (size_t i = 0; i < sizeof(unless_instrumented) / sizeof(unless_instrumented[0]); i++)
                assert_layer(unless_instrumented[i], instrumented() ? "partial" : "enforced");
        assert_layer("seccomp", instrumented() ? "absent" : "enforced");
}

static bool dies_of_int80_anyway(void)
{
        pid_t pid = fork();
        int status;

        if (!pid) {
                bids[N_ATTEMPTS - 2]();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFSIGNALED(status);
}

static void attempt_ends_as_said(const struct attempt *a, uint8_t bid)
{
        int64_t result = 0;
        bool answered;
        int status;

        infant_spawn(&nursery, &infant);
        answered = infant_bid(&infant, bid, &result);
        status = infant_reap(&infant);
        if (a->end != KILLED) {
                if (!answered || result != a->end)
                        fail_msg("%s: answered %d with %lld", a->name, answered, (long long)result);
                return;
        }
        /* What came over the channel then is its last word. */
        if (!WIFSIGNALED(status))
                fail_msg("%s: not killed, but answered %lld", a->name, (long long)result);
        /* A kernel without the 32-bit entry point faults before the filter is asked. */
        if (WTERMSIG(status) != SIGSYS && !(!strcmp(a->name, "int 0x80") && dies_of_int80_anyway()))
                fail_msg("%s: killed by signal %d", a->name, WTERMSIG(status));
}

static void harm_is_refused_or_kills(void **state)
{
        (void)state;
        if (instrumented())
                return leave_out("sanitizers and valgrind keep layers open");
        for (int i = 0; i < N_ATTEMPTS; i++)
                attempt_ends_as_said(&attempts[i], (uint8_t)i);
}

static int64_t answer(uint8_t bid)
{
        int64_t result;

        assert_true(infant_bid(&infant, bid, &result));
        return result;
}

/* Run with stray descriptors in test and spawner: see main. */
static void only_stdio_and_channel_are_open(void **state)
{
        (void)state;
        assert_int_equal(answer(OPEN_FDS), 0xf);
}

static void nothing_but_the_time_zone_is_in_the_environment(void **state)
{
        (void)state;
        assert_int_equal(answer(ENVIRONMENT), 1);
        assert_int_equal(answer(LOCAL_TIME), 1);
}

static void no_signal_is_ignored_or_blocked(void **state)
{
        (void)state;
        assert_int_equal(answer(SIGNALS), 0);
}

/* The second byte brings a descriptor along; the answer says whether it arrived. */
static void send_with_descriptor(uint8_t bid)
{
        union {
                struct cmsghdr align;
                char room[CMSG_SPACE(sizeof(int))];
        } control = {.align = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}};
        struct iovec iov = {.iov_base = &bid, .iov_len = 1};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                .msg_controllen = sizeof(control)};
        int fd = STDERR_FILENO;

        memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
        assert_int_equal(write(infant.channel, &bid, 1), 1);
        assert_int_equal(sendmsg(infant.channel, &msg, 0), 1);
}

static void no_descriptor_can_be_received(void **state)
{
        int64_t result;

        (void)state;
        if (RUNNING_ON_VALGRIND)
                return leave_out("valgrind keeps this limit to itself");
        send_with_descriptor(RECEIVE);
        assert_int_equal(read(infant.channel, &result, sizeof(result)), sizeof(result));
        assert_int_equal(result, 0);
}

static void memory_outside_the_arena_is_bounded(void **state)
{
        int64_t mib;

        (void)state;
        if (instrumented())
                return leave_out("sanitizers and valgrind map what they need");
        mib = answer(MAP);
        assert_in_range(mib, 128, 1024);
}

static rlim_t hard_limit(int resource)
{
        struct rlimit now = infant_limit(&infant, resource);

        assert_int_equal(now.rlim_cur, now.rlim_max);
        return now.rlim_max;
}

static void limits_read_back_from_outside(void **state)
{
        static const int none[] = {RLIMIT_CORE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE};

        (void)state;
        if (RUNNING_ON_VALGRIND)
                return leave_out("valgrind keeps some limits to itself");
        for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
                assert_int_equal(hard_limit(none[i]), 0);
        assert_int_equal(hard_limit(RLIMIT_CPU), 2 * 10 * 3 + 60);
        if (!instrumented()) {
                assert_int_equal(hard_limit(RLIMIT_FSIZE), 0);
                assert_in_range(hard_limit(RLIMIT_AS), 128 << 20, 2048ULL << 20);
        }
}

static void read_proc(const char *what, char *out, size_t size)
{
        char path[64];
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/%s", infant.pid, what);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        n = read(fd, out, size - 1);
        assert_true(n > 0);
        out[n] = 0;
        close(fd);
}

static void the_kernel_says_the_same(void **state)
{
        char status[4096];

        (void)state;
        read_proc("status", status, sizeof(status));
        assert_non_null(strstr(status, "NoNewPrivs:\t1"));
        assert_non_null(strstr(status, instrumented() ? "Seccomp:\t0" : "Seccomp:\t2"));
        assert_non_null(strstr(status, "Name:\tpoppod-js"));
        assert_int_equal(getsid(infant.pid), infant.pid);
}

static void it_answers_after_all_that(void **state)
{
        (void)state;
        assert_int_equal(answer(NOTHING), 0);
}

/* The race that PDEATHSIG alone would lose: the master was dead before it was set. */
static void a_worker_whose_master_is_gone_ends(void **state)
{
        struct wire_spawn_setup setup = nursery_setup();
        struct lockdown l = {.setup = &setup, .parent = getpid() + 1, .channel_fd = STDERR_FILENO};
        int status;
        pid_t pid;

        (void)state;
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
                struct buf layers;

                buf_init(&layers, 0);
                _exit(lockdown_apply(&l, &layers) == -ESRCH ? 42 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 42);
}

static const char *const of_the_tree[] = {"rlimits", "noNewPrivs", "seccomp"};

static int say_no_tree_layers(const struct lockdown *l)
{
        struct buf layers;
        struct bytes word;

        buf_init(&layers, 0);
        if (lockdown_apply(l, &layers) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))
                return 1;
        if (!wire_lookup_str(buf_bytes(&layers), "closedFds", &word))
                return 2;
        for (size_t i = 0; i < sizeof(of_the_tree) / sizeof(of_the_tree[0]); i++)
                if (wire_lookup_str(buf_bytes(&layers), of_the_tree[i], &word))
                        return 3;
        return 42;
}

/* They would keep it from making what it is there for, and it tells them itself. */
static void a_jailer_leaves_the_layers_of_what_it_runs_to_the_jail(void **state)
{
        struct wire_spawn_setup setup = nursery_setup();
        struct lockdown l = {.setup = &setup, .parent = getpid(), .channel_fd = STDERR_FILENO, .jailer = true};
        int status;
        pid_t pid;

        (void)state;
        pid = fork();
        assert_true(pid >= 0);
        if (!pid)
                _exit(say_no_tree_layers(&l));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 42);
}

#define WITH_INFANT(test) cmocka_unit_test_setup_teardown(test, spawn, reap)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_INFANT(every_layer_is_enforced),
                cmocka_unit_test(harm_is_refused_or_kills),
                WITH_INFANT(only_stdio_and_channel_are_open),
                WITH_INFANT(nothing_but_the_time_zone_is_in_the_environment),
                WITH_INFANT(no_signal_is_ignored_or_blocked),
                WITH_INFANT(no_descriptor_can_be_received),
                WITH_INFANT(memory_outside_the_arena_is_bounded),
                WITH_INFANT(limits_read_back_from_outside),
                WITH_INFANT(the_kernel_says_the_same),
                cmocka_unit_test(a_worker_whose_master_is_gone_ends),
                cmocka_unit_test(a_jailer_leaves_the_layers_of_what_it_runs_to_the_jail),
                WITH_INFANT(it_answers_after_all_that),
        };

        sigset_t blocked;

        /* What a careless master might leave behind: descriptors, an environment, an ignored and a blocked signal. */
        for (int fd = 40; fd < 50; fd++)
                dup2(STDERR_FILENO, fd);
        setenv("SECRET", "of the master", 1);
        signal(SIGUSR1, SIG_IGN);
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGUSR2);
        sigprocmask(SIG_BLOCK, &blocked, NULL);
        return cmocka_run_group_tests_name("lockdown", tests, open_nursery, close_nursery);
}
