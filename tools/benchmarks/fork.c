/*
 * Baseline: what the kernel asks for a fresh sandboxed process: fork, limits, a ready-made seccomp program, exit, wait.
 *   bench_fork COUNT
 */
#include "base/clock.h"
#include "measure.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const int allowed[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(brk),
        SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(clock_gettime),
        SCMP_SYS(getrandom), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group)};

/* Built once, as the spawner does: what is measured is its loading. */
static struct sock_fprog build_program(void)
{
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int fd = memfd_create("program", 0);
        struct sock_fprog program;
        off_t size;

        if (!ctx || fd < 0)
                measure_die("seccomp_init");
        for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
                if (seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0) < 0)
                        measure_die("seccomp_rule_add");
        if (seccomp_export_bpf(ctx, fd) < 0)
                measure_die("seccomp_export_bpf");
        size = lseek(fd, 0, SEEK_END);
        program.len = (unsigned short)((size_t)size / sizeof(struct sock_filter));
        program.filter = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (program.filter == MAP_FAILED)
                measure_die("mmap");
        close(fd);
        seccomp_release(ctx);
        return program;
}

static void set_limit(__rlimit_resource_t what, rlim_t most)
{
        const struct rlimit limit = {most, most};

        if (setrlimit(what, &limit) < 0)
                _exit(1);
}

static _Noreturn void run_child(const struct sock_fprog *program)
{
        set_limit(RLIMIT_CORE, 0);
        set_limit(RLIMIT_NOFILE, 64);
        set_limit(RLIMIT_FSIZE, 0);
        set_limit(RLIMIT_CPU, 60);
        set_limit(RLIMIT_AS, (rlim_t)1 << 32);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) < 0)
                _exit(1);
        syscall(SYS_exit_group, 0);
        __builtin_unreachable();
}

int main(int argc, char **argv)
{
        size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
        struct sock_fprog program = build_program();
        struct measure m;

        if (!count)
                return 64;
        measure_start(&m, count);
        for (size_t i = 0; i < count; i++) {
                int64_t start = clock_now();
                pid_t pid = fork();
                int status;

                if (!pid)
                        run_child(&program);
                if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
                        measure_die("child");
                measure_add(&m, clock_now() - start);
        }
        measure_report(&m);
        return 0;
}
