/*
 * The first process of a tree: it lays the layers of its namespaces, starts the command behind the last ones,
 * and reaps. When the command has ended, or the jailer says so, or is gone, it kills what is left and ends.
 * The kernel does the same when this process is killed; the difference is the counting of what was used.
 */
#include "sandbox/jail_private.h"
#include "sandbox/landlock.h"
#include "sandbox/listener.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Descriptors from KEPT_FD on are this file's. */
enum { NOT_FOUND = 127, NOT_RUN = 126, KEPT_FD = 128 };

/* How long a kill may take that was announced. */
enum { KILL_LOOKS = 100, KILL_LOOK_US = 500 };

struct init {
        struct jail_entry entry;
        int signals;
        int ask[2]; /* the way of the filter's listener to here; -1: the filter does not ask */
        int listener;
        pid_t command;
        char denied[FILTER_CALL_NAME];
};

static void report(const struct init *i, enum jail_word word, int value, const char *what)
{
        struct jail_report r = {.word = word, .value = value};

        snprintf(r.what, sizeof(r.what), "%s", what);
        send(i->entry.line, &r, sizeof(r), MSG_NOSIGNAL);
}

static _Noreturn void give_up(const struct init *i, enum jail_word word, int r, const char *what)
{
        report(i, word, r, what);
        _exit(r == -ENOENT ? NOT_FOUND : NOT_RUN);
}

/* ---- the command ---- */

/* What is called instead of executed keeps only what it needs until it has all its layers. */
static int close_others(struct init *i, int n)
{
        int *needed[] = {&i->entry.line, &i->ask[1]}, first = 2 * KEPT_FD, at = first;

        if (!i->entry.command->call)
                return syscall(SYS_close_range, n, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
        for (size_t k = 0; k < sizeof(needed) / sizeof(needed[0]); k++, at++)
                if (*needed[k] >= 0 && (*needed[k] = fcntl(*needed[k], F_DUPFD, at)) != at)
                        return -EMFILE;
        return syscall(SYS_close_range, n, first - 1, 0) < 0 ? -errno : fd_close_from(at, -1);
}

static int take_descriptors(struct init *i)
{
        int n = i->entry.command->n_fds;

        for (int k = 0; k < n; k++) {
                int from = i->entry.fds[k] >= 0 ? i->entry.fds[k] : open("/dev/null", O_RDWR);

                if (from < 0 || (from != k && dup2(from, k) < 0))
                        return -errno;
                if (i->entry.fds[k] < 0 && from != k)
                        close(from);
        }
        return close_others(i, n);
}

static void reset_signals(void)
{
        sigset_t none;

        for (int s = 1; s < SIGRTMIN; s++)
                signal(s, SIG_DFL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

static const char *path_of(char *const *envp)
{
        for (; *envp; envp++)
                if (!strncmp(*envp, "PATH=", 5))
                        return *envp + 5;
        return JAIL_PATH;
}

/* As execvpe(), without its shell for what is no executable. Returns why not. */
static int execute(const struct jail_command *c)
{
        const char *name = c->file ? c->file : c->argv[0], *dir = path_of(c->envp);
        int r = -ENOENT;

        if (strchr(name, '/')) {
                execve(name, c->argv, c->envp);
                return -errno;
        }
        for (size_t n; *name && *dir; dir += n + (dir[n] == ':')) {
                char path[PATH_MAX];

                n = strcspn(dir, ":");
                if (snprintf(path, sizeof(path), "%.*s/%s", (int)n, dir, name) < (int)sizeof(path))
                        execve(path, c->argv, c->envp);
                if (errno != ENOENT && errno != ENOTDIR && r == -ENOENT)
                        r = -errno;
        }
        return r;
}

static int load(const struct init *i)
{
        const struct filter *f = i->entry.jail->spec.filter;

        if (!f)
                return 0;
        /* One that asks: from now on this process waits for init, or for the learner, where the table does
         * not say ALLOW. */
        return f->asks ? listener_load(f, i->ask[1]) : filter_load(f);
}

static _Noreturn void become_command(struct init *i)
{
        const struct jail_command *c = i->entry.command;
        int r;

        reset_signals();
        setsid();
        r = take_descriptors(i);
        if (r)
                give_up(i, JAIL_SETUP_FAILED, r, "the command's descriptors");
        if (chdir(c->cwd ? c->cwd : JAIL_WORK) < 0)
                give_up(i, JAIL_SETUP_FAILED, -errno, "the command's directory");
        r = jail_limits_set(i->entry.jail);
        if (r)
                give_up(i, JAIL_SETUP_FAILED, r, "the command's limits");
        /* What a kernel cannot give, the probe has told. */
        landlock_confine_sockets();
        r = load(i);
        if (r)
                give_up(i, JAIL_SETUP_FAILED, r, "the system call filter");
        if (c->call) {
                close(i->entry.line);
                cleanup_close(&i->ask[1]);
                _exit(c->call(c->arg));
        }
        r = execute(c);
        give_up(i, JAIL_EXEC_FAILED, r, "the executable");
}

/* What is executed needs no copy of this process, which waits until then; a call in the jail has one to
 * itself. */
static pid_t start_command(struct init *i)
{
        pid_t pid = i->entry.command->call ? fork() : vfork();

        if (!pid)
                become_command(i);
        return pid;
}

/* ---- reaping ---- */

static int watch_children(struct init *i)
{
        sigset_t child;

        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        if (sigprocmask(SIG_SETMASK, &child, NULL) < 0)
                return -errno;
        i->signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
        return i->signals < 0 ? -errno : 0;
}

/* True when the command is among those that have ended. */
static bool reap(pid_t command, int *status)
{
        bool ended = false;
        int s;

        for (pid_t pid; (pid = waitpid(-1, &s, WNOHANG)) > 0;)
                if (pid == command) {
                        *status = s;
                        ended = true;
                }
        return ended;
}

static void forget(int *fd)
{
        cleanup_close(fd);
        *fd = -1;
}

/* The caller waits in the call, so that its number is nobody else's. The first one is told. A caller that a signal has
 * called away before it was heard has made such a call all the same: there is one program, and it ends. */
static void deny(struct init *i)
{
        struct seccomp_notif call;
        int gone = listener_next(i->listener, &call);

        if (!gone && !*i->denied)
                filter_name_call(call.data.arch, call.data.nr, i->denied);
        kill(!gone && listener_waits(i->listener, &call) ? (pid_t)call.pid : i->command, SIGKILL);
}

static void hear_filter(struct init *i, short events)
{
        struct listener_filter of;

        if (i->listener < 0) {
                i->listener = listener_receive(i->ask[0], &of);
                if (i->listener != -EAGAIN)
                        forget(&i->ask[0]);
        } else if (events & POLLIN) {
                deny(i);
        } else if (events) {
                forget(&i->listener);
        }
}

/* Groups above and below are told as well. The kernel tells before it has killed, so there is something to wait for. */
static bool is_short_of_memory(const struct init *i, short told)
{
        uint64_t events;

        if (!told || read(i->entry.event, &events, sizeof(events)) < 0)
                return false;
        for (int k = 0; k < KILL_LOOKS; k++) {
                if (cgroup_read_kills(i->entry.kills) > i->entry.jail->group.before.oom_kills)
                        return true;
                usleep(KILL_LOOK_US);
        }
        return false;
}

/* One of a tree that was killed for want of memory takes all others along: none of them could tell why it is gone. */
static void wait_for(struct init *i, pid_t command, int *status)
{
        struct pollfd fds[] = {{.fd = i->signals, .events = POLLIN}, {.fd = i->entry.line, .events = POLLIN},
                {.events = POLLIN}, {.fd = i->entry.event, .events = POLLIN}};

        i->command = command;
        while (!reap(command, status)) {
                struct signalfd_siginfo info;

                fds[2].fd = i->listener >= 0 ? i->listener : i->ask[0];
                if (poll(fds, 4, -1) < 0 && errno != EINTR)
                        return;
                while (read(i->signals, &info, sizeof(info)) > 0) {
                }
                if (fds[1].revents || is_short_of_memory(i, fds[3].revents))
                        return;
                if (fds[2].revents)
                        hear_filter(i, fds[2].revents);
        }
}

/* All that is left, whoever its parent was, and waits for it, so that what it used is counted. */
static void end_all(pid_t command, int *status)
{
        int s;

        kill(-1, SIGKILL);
        for (pid_t pid; (pid = waitpid(-1, &s, 0)) > 0 || errno == EINTR;)
                if (pid == command)
                        *status = s;
}

static int open_way_of_listener(struct init *i)
{
        const struct filter *f = i->entry.jail->spec.filter;

        if (!f || !f->asks)
                return 0;
        i->ask[1] = i->entry.learner;
        if (i->ask[1] >= 0)
                return 0;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, i->ask) < 0)
                return -errno;
        /* Out of the way of what the command is given. */
        for (int k = 0; k < 2; k++) {
                int low = i->ask[k];

                i->ask[k] = fcntl(low, F_DUPFD_CLOEXEC, KEPT_FD);
                close(low);
        }
        return i->ask[0] < 0 || i->ask[1] < 0 ? -EMFILE : 0;
}

/* As if the kernel had ended it: that init did is only the way to the call's name. */
static int told(const struct init *i, int status)
{
        return *i->denied && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? SIGSYS : status;
}

_Noreturn void jail_init_run(const struct jail_tree *t, const struct jail_command *c, int line)
{
        struct init i = {.entry = {.jail = t->jail,
                                 .command = c,
                                 .disk = t->disk,
                                 .net = t->jail->net,
                                 .line = line,
                                 .learner = t->jail->spec.learner ? t->jail->spec.learner : -1,
                                 .event = t->jail->group.event,
                                 .kills = t->jail->group.kills},
                .ask = {-1, -1},
                .listener = -1};
        const char *what = "waiting for children";
        int status = SIGKILL, r;
        pid_t command;

        prctl(PR_SET_NAME, "poppod-jail");
        memcpy(i.entry.fds, c->fds, sizeof(i.entry.fds));
        r = jail_enter(&i.entry, &what);
        if (!r)
                r = watch_children(&i);
        if (!r)
                r = open_way_of_listener(&i);
        if (r)
                give_up(&i, JAIL_SETUP_FAILED, r, what);
        command = start_command(&i);
        if (command < 0)
                give_up(&i, JAIL_SETUP_FAILED, -errno, "a process for the command");
        for (int k = 0; k < c->n_fds; k++)
                cleanup_close(&i.entry.fds[k]);
        forget(&i.ask[1]);
        wait_for(&i, command, &status);
        end_all(command, &status);
        report(&i, JAIL_ENDED, told(&i, status), i.denied);
        _exit(0);
}
