/*
 * The first process of a tree: it lays the layers of its namespaces, starts the command behind the last ones,
 * and reaps. When the command has ended, or the jailer says so, or is gone, it kills what is left and ends.
 * The kernel does the same when this process is killed; the difference is the counting of what was used.
 */
#include "sandbox/jail_private.h"
#include "sandbox/landlock.h"

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

enum { NOT_FOUND = 127, NOT_RUN = 126 };

struct init {
        struct jail_entry entry;
        int signals;
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

/* What is called instead of executed keeps the line as its last one, until it has all its layers. */
static int close_others(struct init *i, int n)
{
        if (!i->entry.command->call)
                return syscall(SYS_close_range, n, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
        if (i->entry.line != n && dup2(i->entry.line, n) < 0)
                return -errno;
        i->entry.line = n;
        return fd_close_from(n + 1, -1);
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
        if (i->entry.jail->spec.filter && (r = filter_load(i->entry.jail->spec.filter)))
                give_up(i, JAIL_SETUP_FAILED, r, "the system call filter");
        if (c->call) {
                close(i->entry.line);
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

static void wait_for(const struct init *i, pid_t command, int *status)
{
        struct pollfd fds[] = {{.fd = i->signals, .events = POLLIN}, {.fd = i->entry.line, .events = POLLIN}};

        while (!reap(command, status)) {
                struct signalfd_siginfo info;

                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                        return;
                while (read(i->signals, &info, sizeof(info)) > 0) {
                }
                if (fds[1].revents)
                        return;
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

_Noreturn void jail_init_run(const struct jail_tree *t, const struct jail_command *c, int line)
{
        struct init i = {
                .entry = {.jail = t->jail, .command = c, .disk = t->disk, .net = t->jail->net, .line = line}};
        const char *what = "waiting for children";
        int status = SIGKILL, r;
        pid_t command;

        prctl(PR_SET_NAME, "poppod-jail");
        memcpy(i.entry.fds, c->fds, sizeof(i.entry.fds));
        r = jail_enter(&i.entry, &what);
        if (!r)
                r = watch_children(&i);
        if (r)
                give_up(&i, JAIL_SETUP_FAILED, r, what);
        command = start_command(&i);
        if (command < 0)
                give_up(&i, JAIL_SETUP_FAILED, -errno, "a process for the command");
        for (int k = 0; k < c->n_fds; k++)
                cleanup_close(&i.entry.fds[k]);
        wait_for(&i, command, &status);
        end_all(command, &status);
        report(&i, JAIL_ENDED, status, "");
        _exit(0);
}
