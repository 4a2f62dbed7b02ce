/* The way of a tree's first process into its jail: one step after the other, what needs more rights first. */
#include "sandbox/jail_private.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Above the descriptors that a command is given. */
enum { HIGH_FD = 64 };

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
static int close_others(struct jail_entry *e)
{
        int *needed[JAIL_FDS_MAX + 6] = {&e->disk, &e->net, &e->line, &e->learner, &e->event, &e->kills};
        int kept[JAIL_FDS_MAX + 6], from = 0;
        size_t n = 6;

        for (int k = 0; k < e->command->n_fds; k++)
                needed[n++] = &e->fds[k];
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

static int enter_network(struct jail_entry *e)
{
        if (e->jail->spec.network)
                return 0;
        return setns(e->net, CLONE_NEWNET) < 0 ? -errno : 0;
}

static int mount_disk(struct jail_entry *e)
{
        return move_mount(e->disk, "", AT_FDCWD, JAIL_DISK, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

/* Of the pid namespace, and the tree's own processes only. Where it had to be, the machine's was there up
 * to now. */
static int mount_proc(struct jail_entry *e)
{
        CLEANUP(cleanup_close) int fs = fsopen("proc", FSOPEN_CLOEXEC);
        CLEANUP(cleanup_close) int tree = -1;

        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "invisible", 0) < 0 ||
                fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        tree = fsmount(fs, FSMOUNT_CLOEXEC,
                MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        if (tree < 0 || (e->jail->contained && umount2("/proc", MNT_DETACH) < 0) ||
                move_mount(tree, "", AT_FDCWD, "/proc", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return -errno;
        return 0;
}

/* Keys belong to no namespace. All of /proc is read-only already, and most of what tells of the machine is
 * root's. */
static int mask_proc(struct jail_entry *e)
{
        static const char *const masked[] = {"/proc/keys", "/proc/key-users"};

        (void)e;
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
static int show_below(struct jail_entry *e)
{
        for (size_t k = 0; k < e->jail->n_below; k++) {
                CLEANUP(cleanup_close) int tree = -1;
                char at[32];
                struct stat st;
                int r;

                snprintf(at, sizeof(at), "/below/%zu", k);
                tree = open_tree(AT_FDCWD, at, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
                if (tree < 0 || fstat(tree, &st) < 0)
                        return -errno;
                r = make_way(e->jail->below[k], S_ISDIR(st.st_mode));
                if (r)
                        return r;
                if (move_mount(tree, "", AT_FDCWD, e->jail->below[k], MOVE_MOUNT_F_EMPTY_PATH) < 0)
                        return -errno;
        }
        return 0;
}

static int drop_identity(struct jail_entry *e)
{
        return jail_identity_drop(e->jail);
}

/* The signal comes only for a death from now on; one that was before shows on the line. */
static int follow_jailer(struct jail_entry *e)
{
        struct pollfd line = {.fd = e->line};

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return -errno;
        return poll(&line, 1, 0) > 0 && line.revents & (POLLHUP | POLLERR) ? -ESRCH : 0;
}

/* This process is the tree's user, but nothing in the tree may look into it. */
static int lock_itself(struct jail_entry *e)
{
        (void)e;
        if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return 0;
}

static const struct step {
        const char *what;
        int (*take)(struct jail_entry *);
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
};

int jail_enter(struct jail_entry *e, const char **what)
{
        int r = 0;

        for (size_t k = 0; !r && k < sizeof(steps) / sizeof(steps[0]); k++) {
                *what = steps[k].what;
                r = steps[k].take(e);
        }
        return r;
}
