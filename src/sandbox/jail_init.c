/*
 * The first process of a tree: it lays the layers of its namespaces, starts the command behind the last ones,
 * and reaps. When the command has ended, or the jailer says so, or is gone, it kills what is left and ends.
 * The kernel does the same when this process is killed; the difference is the counting of what was used.
 */
#include "sandbox/jail_private.h"

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

enum { NOT_FOUND = 127, NOT_RUN = 126, HIGH_FD = 64 };

struct init {
        const struct jail *jail;
        const struct jail_command *command;
        int disk, net, line, signals;
        int fds[JAIL_FDS_MAX];
};

static void report(const struct init *i, enum jail_word word, int value, const char *what)
{
        struct jail_report r = {.word = word, .value = value};

        snprintf(r.what, sizeof(r.what), "%s", what);
        send(i->line, &r, sizeof(r), MSG_NOSIGNAL);
}

static _Noreturn void give_up(const struct init *i, enum jail_word word, int r, const char *what)
{
        report(i, word, r, what);
        _exit(r == -ENOENT ? NOT_FOUND : NOT_RUN);
}

/* ---- the layers of the namespaces ---- */

static int raise_fd(int *fd)
{
        int high = *fd < 0 ? -1 : fcntl(*fd, F_DUPFD_CLOEXEC, HIGH_FD);

        if (*fd >= 0 && high < 0)
                return -errno;
        *fd = high;
        return 0;
}

static int by_number(const void *a, const void *b)
{
        return *(const int *)a - *(const int *)b;
}

/* What is needed moves up, and everything else is closed: the jailer's channel, other trees' lines. */
static int close_others(struct init *i)
{
        int *needed[JAIL_FDS_MAX + 4] = {&i->disk, &i->net, &i->line}, kept[JAIL_FDS_MAX + 4];
        size_t n = 3;
        int from = 0;

        for (int k = 0; k < i->command->n_fds; k++)
                needed[n++] = &i->fds[k];
        for (size_t k = 0; k < n; k++) {
                int r = raise_fd(needed[k]);

                if (r)
                        return r;
                kept[k] = *needed[k];
        }
        qsort(kept, n, sizeof(*kept), by_number);
        for (size_t k = 0; k < n; k++) {
                if (kept[k] > from && syscall(SYS_close_range, from, kept[k] - 1, 0) < 0)
                        return -errno;
                from = kept[k] + 1;
        }
        return syscall(SYS_close_range, from, UINT_MAX, 0) < 0 ? -errno : 0;
}

static int enter_network(struct init *i)
{
        if (i->jail->spec.network)
                return 0;
        return setns(i->net, CLONE_NEWNET) < 0 ? -errno : 0;
}

static int mount_disk(struct init *i)
{
        return move_mount(i->disk, "", AT_FDCWD, JAIL_DISK, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/* Of the pid namespace, and the tree's own processes only. Where it had to be, the machine's was there up
 * to now. */
static int mount_proc(struct init *i)
{
        CLEANUP(cleanup_close) int fs = fsopen("proc", FSOPEN_CLOEXEC);
        CLEANUP(cleanup_close) int tree = -1;

        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "invisible", 0) < 0 ||
                fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        tree = fsmount(fs, FSMOUNT_CLOEXEC,
                MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (tree < 0 || (i->jail->contained && umount2("/proc", MNT_DETACH) < 0) ||
                move_mount(tree, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return -errno;
        return 0;
}

/* Keys belong to no namespace. All of /proc is read-only already, and most of what tells of the machine is
 * root's. */
static int mask_proc(struct init *i)
{
        static const char *const masked[] = {"/proc/keys", "/proc/key-users"};

        (void)i;
        for (size_t k = 0; k < sizeof(masked) / sizeof(masked[0]); k++)
                if (mount("/dev/null", masked[k], NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
                        return -errno;
        return 0;
}

static int make_way(const char *path, bool is_dir)
{
        char way[PATH_MAX];
        int fd;

        snprintf(way, sizeof(way), "%s", path);
        for (char *slash = strchr(way + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdir(way, 0755) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        if (is_dir)
                return mkdir(way, 0755) < 0 && errno != EEXIST ? -errno : 0;
        fd = open(way, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0444);
        if (fd < 0)
                return -errno;
        close(fd);
        return 0;
}

/* The paths that lie in the private directory. */
static int show_below(struct init *i)
{
        for (size_t k = 0; k < i->jail->n_below; k++) {
                CLEANUP(cleanup_close) int tree = -1;
                char at[32];
                struct stat st;
                int r;

                snprintf(at, sizeof(at), "/below/%zu", k);
                tree = open_tree(AT_FDCWD, at, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
                if (tree < 0 || fstat(tree, &st) < 0)
                        return -errno;
                r = make_way(i->jail->below[k], S_ISDIR(st.st_mode));
                if (r)
                        return r;
                if (move_mount(tree, "", AT_FDCWD, i->jail->below[k], MOVE_MOUNT_F_EMPTY_PATH) < 0)
                        return -errno;
        }
        return 0;
}

static int drop_identity(struct init *i)
{
        return jail_identity_drop(i->jail);
}

/* The signal comes only for a death from now on; one that was before shows on the line. */
static int follow_jailer(struct init *i)
{
        struct pollfd line = {.fd = i->line};

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return -errno;
        return poll(&line, 1, 0) > 0 && line.revents & (POLLHUP | POLLERR) ? -ESRCH : 0;
}

/* This process is the tree's user, but nothing in the tree may look into it. */
static int lock_itself(struct init *i)
{
        (void)i;
        if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return 0;
}

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

static const struct step {
        const char *what;
        int (*take)(struct init *);
} steps[] = {
        {"closing what is the jailer's", close_others},
        {"the network namespace", enter_network},
        {"the private directory", mount_disk},
        {"/proc", mount_proc},
        {"masking /proc", mask_proc},
        {"paths in the private directory", show_below},
        {"dropping all privileges", drop_identity},
        {"the jailer's death", follow_jailer},
        {"no new privileges", lock_itself},
        {"waiting for children", watch_children},
};

/* ---- the command ---- */

static int take_descriptors(struct init *i)
{
        int n = i->command->n_fds;

        for (int k = 0; k < n; k++) {
                int from = i->fds[k] >= 0 ? i->fds[k] : open("/dev/null", O_RDWR);

                if (from < 0 || (from != k && dup2(from, k) < 0))
                        return -errno;
                if (i->fds[k] < 0 && from != k)
                        close(from);
        }
        return syscall(SYS_close_range, n, UINT_MAX, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
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
        const struct jail_command *c = i->command;
        int r;

        reset_signals();
        setsid();
        r = take_descriptors(i);
        if (r)
                give_up(i, JAIL_SETUP_FAILED, r, "the command's descriptors");
        if (chdir(c->cwd ? c->cwd : JAIL_WORK) < 0)
                give_up(i, JAIL_SETUP_FAILED, -errno, "the command's directory");
        r = jail_limits_set(i->jail);
        if (r)
                give_up(i, JAIL_SETUP_FAILED, r, "the command's limits");
        if (i->jail->spec.filter && (r = filter_load(i->jail->spec.filter)))
                give_up(i, JAIL_SETUP_FAILED, r, "the system call filter");
        if (c->call) {
                syscall(SYS_close_range, c->n_fds, UINT_MAX, 0);
                _exit(c->call(c->arg));
        }
        r = execute(c);
        give_up(i, JAIL_EXEC_FAILED, r, "the executable");
}

/* What is executed needs no copy of this process, which waits until then; a call in the jail has one to
 * itself. */
static pid_t start_command(struct init *i)
{
        pid_t pid = i->command->call ? fork() : vfork();

        if (!pid)
                become_command(i);
        return pid;
}

/* ---- reaping ---- */

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
        struct pollfd fds[] = {{.fd = i->signals, .events = POLLIN}, {.fd = i->line, .events = POLLIN}};

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
        struct init i = {.jail = t->jail, .command = c, .disk = t->disk, .net = t->jail->net, .line = line};
        int status = SIGKILL;
        pid_t command;

        prctl(PR_SET_NAME, "poppod-jail");
        memcpy(i.fds, c->fds, sizeof(i.fds));
        for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
                int r = steps[k].take(&i);

                if (r)
                        give_up(&i, JAIL_SETUP_FAILED, r, steps[k].what);
        }
        command = start_command(&i);
        if (command < 0)
                give_up(&i, JAIL_SETUP_FAILED, -errno, "a process for the command");
        for (int k = 0; k < c->n_fds; k++)
                cleanup_close(&i.fds[k]);
        wait_for(&i, command, &status);
        end_all(command, &status);
        report(&i, JAIL_ENDED, status, "");
        _exit(0);
}
