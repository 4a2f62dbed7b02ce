/* The jailer's life: what is made once and kept, and a tree's from its private directory to its end. */
#include "sandbox/jail_private.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define FIRST_USER_NAMESPACE 0xeffffffdu /* the number that the kernel gives it */

/* Beyond what accounts, containers and dynamic users have. */
enum { UIDS = 0x70000000, SLOT_BITS = 16, MASTER_BITS = 12 };

uid_t jail_uid(pid_t master, uint64_t slot)
{
        uid_t whose = (uid_t)master & ((1u << MASTER_BITS) - 1);

        return UIDS + (whose << SLOT_BITS) + (uid_t)(slot & ((1u << SLOT_BITS) - 1));
}

int jail_fail(struct jail *j, int r, const char *what)
{
        snprintf(j->fault, sizeof(j->fault), "%s: %s", what, error_text(r));
        return error_origin(r);
}

static size_t count(const char *const *paths)
{
        size_t n = 0;

        while (paths && paths[n])
                n++;
        return n;
}

static void forget_paths(struct jail *j)
{
        for (char **p = j->paths; p && *p; p++)
                free(*p);
        free(j->paths);
        j->paths = NULL;
}

void jail_init(struct jail *j)
{
        *j = (struct jail){.home = -1, .net = -1};
        jail_group_init(&j->group);
}

void jail_fini(struct jail *j)
{
        for (size_t i = 0; i < j->n_below; i++)
                free(j->below[i]);
        forget_paths(j);
        jail_group_fini(&j->group);
        cleanup_close(&j->home);
        cleanup_close(&j->net);
        jail_init(j);
}

/* ---- an empty network, kept for all trees ---- */

static bool raise_loopback(void)
{
        CLEANUP(cleanup_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};

        return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
}

/* What connections leave behind for a minute would be seen by the next tree, and keep their ports from it.
 * Where this cannot be set they stay: no protection rests on it. */
static void leave_no_connections(void)
{
        CLEANUP(cleanup_close) int fd = open("/proc/sys/net/ipv4/tcp_max_tw_buckets", O_WRONLY | O_CLOEXEC);

        if (fd >= 0)
                (void)!write(fd, "0", 1);
}

/* Shares the jailer's descriptors, so that the one it opens stays; says which, or an errno. */
static _Noreturn void make_network(int to)
{
        int said = raise_loopback() ? open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) : -1;

        if (said < 0)
                said = -errno;
        leave_no_connections();
        _exit(write(to, &said, sizeof(said)) != sizeof(said));
}

static int open_network(struct jail *j)
{
        int pipes[2], said = -EPIPE;
        pid_t pid;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return jail_fail(j, -errno, "a pipe");
        pid = (pid_t)syscall(SYS_clone, CLONE_NEWNET | CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
        if (!pid)
                make_network(pipes[1]);
        if (pid < 0)
                said = -errno;
        else if (waitpid(pid, NULL, 0) < 0 || read(pipes[0], &said, sizeof(said)) != sizeof(said))
                said = -EPIPE;
        close(pipes[0]);
        close(pipes[1]);
        j->net = said;
        return said < 0 ? jail_fail(j, said, "an empty network namespace") : 0;
}

/* ---- once ---- */

ino_t jail_namespace_of_self(const char *kind)
{
        char path[32];
        struct stat st;

        snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
        return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static int enter(struct jail *j)
{
        int r = jail_identity_enter(j);

        if (r)
                return r;
        if (sethostname("poppo", 5) < 0)
                return jail_fail(j, -errno, "a host name of its own");
        j->home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
        if (j->home < 0)
                return jail_fail(j, -errno, "/proc/self/ns/mnt");
        j->ipc = jail_namespace_of_self("ipc");
        j->network = jail_namespace_of_self("net");
        j->contained = jail_namespace_of_self("user") != FIRST_USER_NAMESPACE;
        j->entered = true;
        return 0;
}

static int keep_paths(struct jail *j, const char *const *paths)
{
        size_t n = count(paths);

        forget_paths(j);
        j->paths = calloc(n + 1, sizeof(*j->paths));
        for (size_t i = 0; j->paths && i < n; i++) {
                j->paths[i] = strdup(paths[i]);
                if (!j->paths[i])
                        return jail_fail(j, -ENOMEM, "paths");
        }
        return j->paths ? 0 : jail_fail(j, -ENOMEM, "paths");
}

static bool same_root(const struct jail *j, const struct jail_spec *spec)
{
        const char *const *had = (const char *const *)j->paths;
        size_t n = count(spec->paths);

        if (!j->built || j->spec.network != spec->network || count(had) != n)
                return false;
        for (size_t i = 0; i < n; i++)
                if (strcmp(had[i], spec->paths[i]))
                        return false;
        return true;
}

static int build(struct jail *j)
{
        int r = 0;

        if (!j->entered)
                r = enter(j);
        else if (setns(j->home, CLONE_NEWNS) < 0)
                r = jail_fail(j, -errno, "the way back to the machine's mounts");
        if (!r && !j->spec.network && j->net < 0)
                r = open_network(j);
        return r ? r : jail_root_build(j);
}

int jail_open(struct jail *j, const struct jail_spec *spec)
{
        bool same = same_root(j, spec);
        int r = same ? 0 : keep_paths(j, spec->paths);

        j->spec = *spec;
        j->spec.paths = (const char *const *)j->paths;
        if (!same && !r) {
                j->fault[0] = '\0';
                jail_group_rest(j);
                r = build(j);
                j->built = !r;
                j->builds++;
        }
        if (!r)
                jail_group_open(j);
        return r;
}

/* ---- a tree's private directory ---- */

static int make_disk(const struct jail *j)
{
        CLEANUP(cleanup_close) int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
        char size[24], files[24];

        if (fs < 0)
                return -errno;
        snprintf(size, sizeof(size), "%llu", (unsigned long long)j->spec.disk_bytes);
        snprintf(files, sizeof(files), "%llu", (unsigned long long)j->spec.disk_files);
        if (fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
                fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", files, 0) < 0 ||
                fsconfig(fs, FSCONFIG_SET_STRING, "mode", "755", 0) < 0 ||
                fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -errno;
        return fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

static int furnish(const struct jail *j, int disk)
{
        static const char *const rooms[] = {"work", "home", "tmp"};

        for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++)
                if (mkdirat(disk, rooms[i], 0700) < 0 || fchownat(disk, rooms[i], j->uid, j->gid, 0) < 0)
                        return -errno;
        return 0;
}

int jail_tree_open(struct jail *j, struct jail_tree *t)
{
        int r;

        *t = (struct jail_tree){.jail = j, .disk = make_disk(j), .pidfd = -1, .line = -1};
        if (t->disk < 0)
                return jail_fail(j, -errno, "a private directory");
        r = furnish(j, t->disk);
        if (r)
                jail_tree_close(t);
        return r ? jail_fail(j, r, "directories in the private one") : 0;
}

/* ---- its processes ---- */

int jail_tree_start(struct jail_tree *t, const struct jail_command *c)
{
        struct jail_birth birth = {.tree = t, .command = c};
        int pair[2];
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return jail_fail(t->jail, -errno, "a line to the tree");
        birth.line = pair[1];
        pid = jail_group_birth(&birth);
        close(pair[1]);
        t->line = pair[0];
        if (pid < 0) {
                t->pidfd = -1;
                return jail_fail(t->jail, pid, "a process in namespaces of its own");
        }
        t->pid = pid;
        return 0;
}

void jail_tree_stop(struct jail_tree *t)
{
        if (t->line >= 0)
                shutdown(t->line, SHUT_WR);
}

void jail_tree_kill(struct jail_tree *t)
{
        if (!t->pid)
                return;
        syscall(SYS_pidfd_send_signal, t->pidfd, SIGKILL, NULL, 0);
        jail_group_kill(t->jail);
}

uint64_t jail_tree_cpu_us(const struct jail_tree *t)
{
        return t->pid ? jail_group_cpu_us(t->jail) : 0;
}

static void read_reports(int line, struct jail_end *end)
{
        static const __typeof__(end->how) hows[] = {[JAIL_SETUP_FAILED] = JAIL_NOT_STARTED,
                [JAIL_EXEC_FAILED] = JAIL_NOT_FOUND,
                [JAIL_ENDED] = JAIL_RAN};
        struct jail_report r;

        while (recv(line, &r, sizeof(r), MSG_DONTWAIT) == sizeof(r)) {
                if (r.word > JAIL_ENDED)
                        return;
                if (r.word == JAIL_ENDED) {
                        end->status = r.value;
                        snprintf(end->denied, sizeof(end->denied), "%.*s", JAIL_WHAT - 1, r.what);
                }
                /* The first one counts: what could not be run ends as well. */
                if (end->how != JAIL_UNKNOWN)
                        continue;
                end->how = hows[r.word];
                end->error = r.word == JAIL_ENDED ? 0 : r.value;
                snprintf(end->what, sizeof(end->what), "%.*s", JAIL_WHAT - 1, r.what);
        }
}

int jail_tree_wait(struct jail_tree *t, struct jail_end *end)
{
        struct rusage used = {0};
        int r;

        *end = (struct jail_end){.how = JAIL_UNKNOWN};
        do {
                r = wait4(t->pid, NULL, 0, &used) < 0 ? -errno : 0;
        } while (r == -EINTR);
        t->pid = 0;
        jail_group_account(t->jail, &used, end);
        read_reports(t->line, end);
        cleanup_close(&t->pidfd);
        cleanup_close(&t->line);
        t->pidfd = t->line = -1;
        return r ? error_origin(r) : 0;
}

void jail_tree_close(struct jail_tree *t)
{
        struct jail_end end;

        if (t->pid) {
                jail_tree_kill(t);
                jail_tree_wait(t, &end);
        }
        cleanup_close(&t->pidfd);
        cleanup_close(&t->line);
        cleanup_close(&t->disk);
        t->disk = t->line = t->pidfd = -1;
}
