/* The starter's life: settle in, renounce, then answer one record after the other. */
#include "master/starter.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pidfd.h"
#include "sandbox/renounce.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CHANNEL_FD = 3, STACK_SLACK = 64 * 1024 * 1024 };

const char *const starter_layers[LAYERS_MAX] = {
        "user", "capabilities", "notDumpable", "noNewPrivs", "seccomp"};

static const char *const names[HELPERS] = {[HELPER_SPAWNER] = "poppod-spawner",
        [HELPER_LOADER] = "poppod-loader",
        [HELPER_STORE] = "poppod-store"};

struct starter {
        const struct starter_setup *setup;
        struct layers layers;
        pid_t master;
        int sock;
};

/* ---- in the child ---- */

/* Native recursion must hit the heap's limit before the stack's (FACTS.md), so the stack is made larger than
 * the heap. */
static void raise_stack(uint64_t memory_bytes)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_STACK, &limit) < 0)
                return;
        limit.rlim_cur = memory_bytes + STACK_SLACK;
        if (limit.rlim_max != RLIM_INFINITY && limit.rlim_cur > limit.rlim_max)
                limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_STACK, &limit) < 0)
                log_warn("spawner", "RLIMIT_STACK cannot be raised: %m");
}

/* A change of user forgets the signal, so it comes after it; a death before that shows in the parent's
 * number. */
static void follow_master(const struct starter *s)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != s->master)
                _exit(1);
}

/* The spawner stays who poppod is, since it makes jails. Of the others' programs the file is opened before:
 * they need not be within that user's reach. -1: by its path. */
static int become_user(const struct starter *s, enum helper which)
{
        int program;

        if (which == HELPER_SPAWNER) {
                raise_stack(s->setup->memory_bytes);
                return -1;
        }
        if (!s->setup->user)
                return -1;
        program = open(s->setup->programs[which], O_PATH | O_CLOEXEC);
        if (program >= 0)
                program = fcntl(program, F_DUPFD_CLOEXEC, CHANNEL_FD + 1);
        if (program < 0 || identity_assume(s->setup->user, 0) < 0) {
                log_error(names[which], "%s cannot be started: %m", s->setup->programs[which]);
                _exit(1);
        }
        return program;
}

_Noreturn static void become_program(const struct starter *s, enum helper which, int channel)
{
        const char *path = s->setup->programs[which];
        char *argv[] = {(char *)names[which], NULL}, *envp[] = {(char *)"TZ=UTC", NULL};
        int program = become_user(s, which);

        follow_master(s);
        if (channel != CHANNEL_FD && dup2(channel, CHANNEL_FD) < 0)
                _exit(1);
        fd_keep_on_exec(CHANNEL_FD);
        fd_close_from(CHANNEL_FD + 1, program);
        if (program < 0)
                execve(path, argv, envp);
        else
                syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
        log_error(names[which], "%s cannot be started: %m", path);
        _exit(127);
}

/* ---- requests ---- */

/* A sibling: the master reaps it, and its parent's death is the master's. */
static pid_t clone_sibling(int *pidfd)
{
        const unsigned long flags = CLONE_PARENT | CLONE_PIDFD | SIGCHLD;

        return (pid_t)syscall(SYS_clone, flags, NULL, pidfd, NULL, 0);
}

static int start(const struct starter *s, int32_t which, int channel, int *pidfd)
{
        pid_t pid;

        if (which < 0 || which >= HELPERS || !s->setup->programs[which] || channel < 0)
                return -EINVAL;
        pid = clone_sibling(pidfd);
        if (!pid)
                become_program(s, (enum helper)which, channel);
        return pid < 0 ? -errno : pid;
}

static void close_file(FILE **f)
{
        if (*f)
                fclose(*f);
}

static pid_t parent_of(pid_t pid)
{
        CLEANUP(close_file) FILE *f = NULL;
        char path[32], line[512], *behind;
        int parent = -1;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        f = fopen(path, "re");
        if (!f || !fgets(line, sizeof(line), f) || !(behind = strrchr(line, ')')) ||
                sscanf(behind, ") %*c %d", &parent) != 1)
                return -1;
        return (pid_t)parent;
}

/* Should the number pass to another process meanwhile, it is that one's parent that was looked up, but the pidfd's process
 * that is signalled: one that has ended. */
static int end_child(const struct starter *s, pid_t pid)
{
        CLEANUP(cleanup_close) int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

        /* Without the call, as under valgrind, nobody but the master reaps it: the number is still its own.
         */
        if (pidfd < 0 && (pid <= 0 || errno != ENOSYS))
                return -ESRCH;
        return parent_of(pid) == s->master ? pidfd_signal(pidfd, pid, SIGKILL) : -EPERM;
}

static void answer_layers(const struct starter *s, struct starter_answer *answer)
{
        answer->result = (int32_t)s->layers.n;
        for (size_t i = 0; i < s->layers.n; i++)
                answer->states[i] = (uint8_t)s->layers.list[i].state;
}

static int handle(const struct starter *s, const struct starter_request *request, int passed)
{
        CLEANUP(cleanup_close) int channel = passed;
        CLEANUP(cleanup_close) int pidfd = -1;
        struct starter_answer answer = {.number = request->number, .result = -EINVAL};

        if (request->what == STARTER_START)
                answer.result = start(s, request->which, channel, &pidfd);
        else if (request->what == STARTER_KILL)
                answer.result = end_child(s, request->which);
        else if (request->what == STARTER_LAYERS)
                answer_layers(s, &answer);
        return fd_send_record(s->sock, &answer, sizeof(answer), pidfd);
}

/* ---- life ---- */

/* When to end is the master's decision alone: it closes the socket, and its death kills. What is ignored
 * stays so in the programs until they say otherwise. */
static void settle_in(const struct starter *s)
{
        static const int ignored[] = {
                SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU};

        log_open("poppod-starter");
        log_set_fd(STDERR_FILENO);
        for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
                signal(ignored[i], SIG_IGN);
        prctl(PR_SET_NAME, "poppod-starter");
        follow_master(s);
        if (fd_close_from(STDERR_FILENO + 1, s->sock) < 0)
                _exit(1);
}

_Noreturn void starter_main(const struct starter_setup *setup, int sock, pid_t master)
{
        struct starter s = {.setup = setup, .sock = sock, .master = master};
        struct starter_request request;
        int r, passed;

        settle_in(&s);
        renounce_rights(&s.layers, renounce_jailers_capabilities);
        renounce_filter(&s.layers, RENOUNCE_STARTERS);
        while (!(r = fd_receive_record(sock, &request, sizeof(request), &passed)))
                if ((r = handle(&s, &request, passed)) < 0)
                        break;
        _exit(r < 0);
}
