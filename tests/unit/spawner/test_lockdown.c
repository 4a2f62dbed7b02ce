/* What a locked-down worker can still do, tried from inside by code that means harm, and read from outside. */
#include "nursery.h"
#include "spawner/instrument.h"
#include "spawner/limits.h"

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

static int64_t try_signal_parent(void)
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

/* Bits: which of the first 64 descriptors are open. Only an open one lets nothing be read or written. */
static int64_t open_descriptors(void)
{
        int64_t bits = 0;

        for (int fd = 0; fd < 1024; fd++)
                if (read(fd, NULL, 0) == 0 || errno != EBADF)
                        bits |= INT64_C(1) << (fd < 63 ? fd : 63);
        return bits;
}

static int64_t environment_is_declared(void)
{
        return environ[0] && !strcmp(environ[0], "TZ=UTC") && !environ[1];
}

static int64_t ignored_or_caught_signals(void)
{
        int64_t n = 0;

        for (int i = 1; i < NSIG; i++) {
                struct sigaction now;

                n += !sigaction(i, NULL, &now) && now.sa_handler != SIG_DFL;
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

static int64_t live_on(void)
{
        return getppid_free_marker();
}
