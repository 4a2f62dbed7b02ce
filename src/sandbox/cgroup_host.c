/* The supervisor's own groups: made below the one that it was started in, and removed with all that is below
 * them. */
#include "sandbox/cgroup_private.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "poppo-"
#define SUPERVISOR "supervisor"

/* HIGH_FD: above the numbers that cgroup_host_move() gives. ROUNDS: new processes are born where their parent
 * is, so that the second time there is none left. */
enum { HIGH_FD = 64, ROUNDS = 4, DEPTH_MAX = 4, STAT_TEXT = 1024 };

/* How long the end of others is waited for. */
enum { LOOKS = 200, LOOK_US = 2000 };

static const char mend[] = "run poppod as root, or hand it a subtree (systemd: Delegate=yes)";

__attribute__((format(printf, 3, 4))) static void lack(
        struct cgroup_host *h, int part, const char *format, ...)
{
        va_list ap;

        h->versions[part] = 0;
        va_start(ap, format);
        vsnprintf(h->why[part], sizeof(h->why[part]), format, ap);
        va_end(ap);
}

const char *cgroup_why(const struct cgroup_host *h, enum cgroup_part part)
{
        return h->versions[part] ? NULL : h->why[part];
}

/* ---- names ---- */

static void close_dir(DIR **d)
{
        if (*d)
                closedir(*d);
}

/* Fields 4 and 22 of /proc/PID/stat, behind the name, which may hold anything. */
static bool read_stat(pid_t pid, int *parent, unsigned long long *start)
{
        char path[32], text[STAT_TEXT], *end;
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        cleanup_close(&fd);
        if (n < 0)
                return false;
        text[n] = '\0';
        end = strrchr(text, ')');
        return end &&
               sscanf(end + 1,
                       " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                       parent, start) == 2;
}

/* Numbers of processes mean something in their own namespace only. */
static ino_t pid_namespace(void)
{
        struct stat st;

        return stat("/proc/self/ns/pid", &st) < 0 ? 0 : st.st_ino;
}

static int write_name(struct cgroup_host *h, pid_t owner)
{
        unsigned long long start;
        int parent;

        if (!read_stat(owner, &parent, &start))
                return error_origin(-ESRCH);
        snprintf(h->name, sizeof(h->name), PREFIX "%d-%llu-%llu", owner, start,
                (unsigned long long)pid_namespace());
        return 0;
}

/* A supervisor's of this namespace that lives no more. */
static bool is_orphaned(const char *name)
{
        unsigned long long start, since, ns;
        int pid, parent, end = 0;

        if (sscanf(name, PREFIX "%d-%llu-%llu%n", &pid, &start, &ns, &end) != 3 || name[end] ||
                ns != pid_namespace())
                return false;
        return !read_stat(pid, &parent, &since) || since != start;
}

/* ---- removal ---- */

static DIR *open_list(int dir)
{
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *d = fd < 0 ? NULL : fdopendir(fd);

        if (!d)
                cleanup_close(&fd);
        return d;
}

/* Groups below first. Only the kernel's own files are in them, which go along. True: there still are processes. */
static bool remove_group(int in, const char *name, int depth)
{
        CLEANUP(cleanup_close) int dir = openat(in, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        CLEANUP(close_dir) DIR *list = dir < 0 || depth == DEPTH_MAX ? NULL : open_list(dir);
        bool busy = false;

        for (struct dirent *e; list && (e = readdir(list));)
                if (e->d_type == DT_DIR && *e->d_name != '.')
                        busy |= remove_group(dir, e->d_name, depth + 1);
        return (unlinkat(in, name, AT_REMOVEDIR) < 0 && errno == EBUSY) || busy;
}

static void remove_orphans(int above)
{
        CLEANUP(close_dir) DIR *list = open_list(above);

        for (struct dirent *e; list && (e = readdir(list));)
                if (e->d_type == DT_DIR && is_orphaned(e->d_name))
                        remove_group(above, e->d_name, 0);
}

/* ---- version 2: a group with groups below it holds no process ---- */

static bool is_ours(pid_t pid, pid_t owner)
{
        unsigned long long start;
        int parent;

        return pid == owner || pid == getpid() || (read_stat(pid, &parent, &start) && parent == owner);
}

/* Returns the first process that is not the supervisor's, 0: none, or -errno. */
static pid_t move_own(int from, int to, pid_t owner)
{
        char text[CGROUP_TEXT];
        int r = cgroup_read_file(from, "cgroup.procs", text);

        for (char *line = text, *next; !r && *line; line = next) {
                pid_t pid = (pid_t)strtol(line, &next, 10);

                if (next == line)
                        break;
                if (!is_ours(pid, owner))
                        return pid;
                *next = '\0';
                r = cgroup_write_file(to, "cgroup.procs", line);
                next++;
        }
        return r;
}

static int enable(int dir, const char *controller)
{
        char word[24], text[CGROUP_TEXT];
        int r = cgroup_read_file(dir, "cgroup.subtree_control", text);

        if (!r && strstr(text, controller))
                return 0;
        snprintf(word, sizeof(word), "+%s", controller);
        return r ? r : cgroup_write_file(dir, "cgroup.subtree_control", word);
}

/* The root of all groups may hold processes. */
static bool is_root(int dir)
{
        return faccessat(dir, "cgroup.type", F_OK, 0) < 0;
}

/* Makes room above, so that its controllers can be handed down. */
static int make_room(struct cgroup_host *h, int part, int above, int base, pid_t owner)
{
        CLEANUP(cleanup_close) int leaf = -1;
        pid_t r = 0;

        if (mkdirat(base, SUPERVISOR, 0755) < 0 && errno != EEXIST)
                return -errno;
        leaf = openat(base, SUPERVISOR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (leaf < 0)
                return -errno;
        for (int i = 0; i < ROUNDS; i++) {
                r = move_own(above, leaf, owner);
                if (r > 0) {
                        lack(h, part,
                                "process %d shares poppod's control group: give poppod one of its own "
                                "(systemd: "
                                "Delegate=yes; by hand: systemd-run --scope -p Delegate=yes poppod)",
                                r);
                        return -EBUSY;
                }
                r = r < 0 ? r : enable(above, cgroup_controllers[part]);
                if (r != -EBUSY)
                        break;
        }
        return r;
}

/* A controller that the group above was not given itself. */
static bool is_offered(int above, const char *controller)
{
        char text[CGROUP_TEXT];

        return cgroup_read_file(above, "cgroup.controllers", text) == 0 && strstr(text, controller);
}

static int hand_down(struct cgroup_host *h, int part, int above, int base, pid_t owner)
{
        int r;

        if (!is_offered(above, cgroup_controllers[part])) {
                lack(h, part, "the %s controller is not handed down to poppod's control group: %s",
                        cgroup_controllers[part], mend);
                return -ENOENT;
        }
        r = is_root(above) ? enable(above, cgroup_controllers[part]) : make_room(h, part, above, base, owner);
        return r ? r : enable(base, cgroup_controllers[part]);
}

/* ---- the base ---- */

/* The spawner may be a later one of the same supervisor, whose processes are in the leaf below. */
static void strip_own(const struct cgroup_host *h, char *path)
{
        char tail[CGROUP_NAME + sizeof(SUPERVISOR) + 2];
        size_t len = strlen(path), n = (size_t)snprintf(tail, sizeof(tail), "/%s/" SUPERVISOR, h->name);

        if (len > n && !strcmp(path + len - n, tail))
                path[len - n] = '\0';
}

static void lack_by_error(struct cgroup_host *h, int part, const char *path, int r)
{
        h->versions[part] = 0;
        /* What was said already is more precise. */
        if (!*h->why[part])
                lack(h, part, "%.120s: %s: %s", path, error_text(r), mend);
}

static void open_part(struct cgroup_host *h, int part, struct cgroup_place *at, pid_t owner)
{
        int above, r = 0;

        h->versions[part] = at->version;
        if (!at->version)
                return lack(h, part,
                        "this machine mounts no control groups for it: mount cgroup2 on /sys/fs/cgroup");
        if (at->read_only)
                return lack(h, part, "%.120s is mounted read-only: a container needs it writable", at->path);
        strip_own(h, at->path);
        above = h->above.dirs[part] = open(at->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (above < 0)
                return lack_by_error(h, part, at->path, -errno);
        remove_orphans(above);
        if (mkdirat(above, h->name, 0755) < 0 && errno != EEXIST)
                return lack_by_error(h, part, at->path, -errno);
        h->base.dirs[part] = openat(above, h->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (h->base.dirs[part] < 0)
                r = -errno;
        if (!r && at->version == 2 && cgroup_controllers[part])
                r = hand_down(h, part, above, h->base.dirs[part], owner);
        if (r)
                lack_by_error(h, part, at->path, r);
}

void cgroup_host_init(struct cgroup_host *h)
{
        *h = (struct cgroup_host){0};
        cgroup_init(&h->base);
        cgroup_init(&h->above);
}

void cgroup_host_open_at(struct cgroup_host *h, pid_t owner, const char *cgroups, const char *mounts)
{
        CLEANUP(cleanup_free) struct cgroup_place *places = calloc(CGROUP_PARTS, sizeof(*places));
        int r = places ? 0 : -ENOMEM;

        cgroup_host_init(h);
        if (!r)
                r = write_name(h, owner);
        if (!r)
                r = cgroup_locate(cgroups, mounts, places);
        for (int p = 0; p < CGROUP_PARTS; p++)
                if (r)
                        lack(h, p, "it cannot be found out: %s", error_text(r));
                else
                        open_part(h, p, &places[p], owner);
        /* What could not be handed down is not kept open: nothing may be believed to be there. */
        for (int p = 0; p < CGROUP_PARTS; p++)
                if (!h->versions[p]) {
                        cleanup_close(&h->base.dirs[p]);
                        h->base.dirs[p] = -1;
                }
}

void cgroup_host_open(struct cgroup_host *h, pid_t owner)
{
        cgroup_host_open_at(h, owner, "/proc/self/cgroup", "/proc/self/mountinfo");
}

static void withdraw(int dir)
{
        for (int p = 0; p < CGROUP_PARTS; p++) {
                char word[24];

                snprintf(word, sizeof(word), "-%s", cgroup_controllers[p] ? cgroup_controllers[p] : "");
                if (cgroup_controllers[p])
                        cgroup_write_file(dir, "cgroup.subtree_control", word);
        }
}

/* The way back: what was handed down is taken back before the processes may return. */
static void give_room_back(int above, int base)
{
        CLEANUP(cleanup_close) int leaf = openat(base, SUPERVISOR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        char text[CGROUP_TEXT];

        if (leaf < 0)
                return;
        withdraw(base);
        withdraw(above);
        for (int i = 0; i < ROUNDS && cgroup_read_file(leaf, "cgroup.procs", text) == 0 && *text; i++)
                for (char *line = text, *next; *line; line = next) {
                        next = line + strcspn(line, "\n");
                        if (*next)
                                *next++ = '\0';
                        cgroup_write_file(above, "cgroup.procs", line);
                }
}

/* Trees may still be dying with the workers that had them. */
static void remove_patiently(int above, const char *name)
{
        for (int i = 0; i < LOOKS && remove_group(above, name, 0); i++)
                usleep(LOOK_US);
}

void cgroup_host_close(struct cgroup_host *h)
{
        for (int p = 0; p < CGROUP_PARTS; p++) {
                int above = h->above.dirs[p], base = h->base.dirs[p];

                if (above >= 0 && base >= 0 && h->versions[p] == 2)
                        give_room_back(above, base);
                if (above >= 0)
                        remove_patiently(above, h->name);
        }
        cgroup_close(&h->base);
        cgroup_close(&h->above);
}

int cgroup_host_move(struct cgroup_host *h, int first)
{
        int next = first;

        cgroup_close(&h->above);
        for (int p = 0; p < CGROUP_PARTS; p++) {
                int high = h->base.dirs[p] < 0 ? -1 : fcntl(h->base.dirs[p], F_DUPFD_CLOEXEC, HIGH_FD);

                if (h->base.dirs[p] >= 0 && high < 0)
                        return error_origin(-errno);
                h->base.dirs[p] = high;
        }
        for (int p = 0; p < CGROUP_PARTS; p++) {
                if (h->base.dirs[p] < 0)
                        continue;
                if (dup3(h->base.dirs[p], next, O_CLOEXEC) < 0)
                        return error_origin(-errno);
                h->base.dirs[p] = next++;
        }
        return next;
}
