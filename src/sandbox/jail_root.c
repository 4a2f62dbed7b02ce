/*
 * The root of a jail: a small read-only file system with the machine's programs and libraries in it, what
 * they need of /etc, a few devices, and nothing else. It is built once, in a mount namespace of the jailer's;
 * each tree gets a copy of that namespace, which is cheap because little is mounted in it.
 */
#include "sandbox/jail_private.h"
#include "sandbox/jail_view.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Covered while the root is built on it, and let go with the old root. */
#define BASE "/usr"

enum { COPY_MAX = 4 * 1024 * 1024 };

#define FIXED (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* Copied, since a mount costs every tree a little: the loader's index, the time zone, and tables that
 * programs read. */
static const char *const etc_files[] = {"/etc/ld.so.cache", "/etc/localtime", "/etc/timezone",
        "/etc/protocols", "/etc/services", "/etc/mime.types", "/etc/magic", "/etc/debian_version",
        "/etc/ssl/openssl.cnf"};
/* Only with the machine's network: how its names are resolved. */
static const char *const network_files[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/gai.conf"};

static const char *const directories[] = {"etc", "etc/ssl", "dev", "proc", "run", "var", "below", "task"};
static const struct link {
        const char *at, *to;
} links[] = {{"tmp", JAIL_TMP}, {"var/tmp", JAIL_TMP}, {"dev/shm", JAIL_TMP}, {"dev/fd", "/proc/self/fd"},
        {"dev/stdin", "/proc/self/fd/0"}, {"dev/stdout", "/proc/self/fd/1"},
        {"dev/stderr", "/proc/self/fd/2"}, {"etc/os-release", "../usr/lib/os-release"},
        {"etc/mtab", "/proc/self/mounts"}};

struct builder {
        struct jail *jail;
        int root;
        struct jail_view *view;
};

static int fail(struct builder *b, int r, const char *what)
{
        return jail_fail(b->jail, r, what);
}

/* ---- the file system of the root ---- */

static int write_file(struct builder *b, const char *at, const void *data, size_t len)
{
        CLEANUP(cleanup_close) int fd = openat(b->root, at, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

        if (fd < 0 || (len && write(fd, data, len) != (ssize_t)len))
                return fail(b, -errno, at);
        return 0;
}

/* A file that is not there, or not this user's to read, is not there inside. */
static int copy_file(struct builder *b, const char *from)
{
        CLEANUP(cleanup_close) int fd = open(from, O_RDONLY | O_CLOEXEC);
        CLEANUP(cleanup_free) char *data = NULL;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > COPY_MAX)
                return 0;
        data = malloc((size_t)st.st_size + 1);
        if (!data)
                return fail(b, -ENOMEM, from);
        if (read(fd, data, (size_t)st.st_size) != st.st_size)
                return 0;
        return write_file(b, from + 1, data, (size_t)st.st_size);
}

static int write_accounts(struct builder *b)
{
        char text[512];
        const struct jail *j = b->jail;
        int r;

        snprintf(text, sizeof(text),
                "root:x:0:0:root:/:/bin/sh\ntask:x:%u:%u:task:" JAIL_HOME ":/bin/sh\n"
                "nobody:x:65534:65534:nobody:/:/bin/false\n",
                j->uid, j->gid);
        r = write_file(b, "etc/passwd", text, strlen(text));
        if (r)
                return r;
        snprintf(text, sizeof(text), "root:x:0:\ntask:x:%u:\nnogroup:x:65534:\n", j->gid);
        return write_file(b, "etc/group", text, strlen(text));
}

static int write_names(struct builder *b)
{
        static const char hosts[] = "127.0.0.1 localhost poppo\n::1 localhost\n";
        static const char order[] =
                "passwd: files\ngroup: files\nhosts: files dns\nprotocols: files\nservices: files\n";
        int r = write_file(b, "etc/nsswitch.conf", order, strlen(order));

        if (r || b->jail->spec.network)
                return r;
        return write_file(b, "etc/hosts", hosts, strlen(hosts));
}

static int write_etc(struct builder *b)
{
        int r = write_accounts(b);

        if (!r)
                r = write_names(b);
        for (size_t i = 0; !r && i < sizeof(etc_files) / sizeof(etc_files[0]); i++)
                r = copy_file(b, etc_files[i]);
        for (size_t i = 0;
                !r && b->jail->spec.network && i < sizeof(network_files) / sizeof(network_files[0]); i++)
                r = copy_file(b, network_files[i]);
        return r;
}

/* /etc is written before the base covers what it is copied from. */
static int furnish(struct builder *b)
{
        for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
                if (mkdirat(b->root, directories[i], 0755) < 0)
                        return fail(b, -errno, directories[i]);
        for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
                if (symlinkat(links[i].to, b->root, links[i].at) < 0)
                        return fail(b, -errno, links[i].at);
        return write_etc(b);
}

static int make_root(struct builder *b)
{
        CLEANUP(cleanup_close) int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

        if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "755", 0) < 0 ||
                fsconfig(fs, FSCONFIG_SET_STRING, "size", "16m", 0) < 0 ||
                fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return fail(b, -errno, "a file system for the root");
        b->root = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        return b->root < 0 ? fail(b, -errno, "a file system for the root") : 0;
}

/* ---- putting it together ---- */

/* Makes what is missing on the way to a mount point. On a read-only mount nothing can be made, and nothing is
 * missing. */
static int make_way(int root, const char *path, bool is_dir)
{
        char way[PATH_MAX];
        int fd;

        snprintf(way, sizeof(way), "%s", path);
        for (char *slash = strchr(way, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                if (mkdirat(root, way, 0755) < 0 && errno != EEXIST && errno != EROFS)
                        return -errno;
                *slash = '/';
        }
        if (is_dir)
                return mkdirat(root, way, 0755) < 0 && errno != EEXIST && errno != EROFS ? -errno : 0;
        fd = openat(root, way, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0444);
        if (fd < 0)
                return errno == EROFS || errno == EEXIST ? 0 : -errno;
        close(fd);
        return 0;
}

static int attach(struct builder *b, const struct jail_shown *s, const char *at)
{
        int r = make_way(b->root, at, s->is_dir);

        if (r)
                return fail(b, r, s->at);
        if (move_mount(s->tree, "", b->root, at, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                return fail(b, -errno, s->at);
        return 0;
}

/* The private directory is mounted for each tree, and what is to be seen below it after that. */
static int put_aside(struct builder *b, const struct jail_shown *s)
{
        struct jail *j = b->jail;
        char at[32];

        if (j->n_below == JAIL_PATHS_MAX)
                return fail(b, -E2BIG, s->at);
        j->below[j->n_below] = strdup(s->at);
        if (!j->below[j->n_below])
                return fail(b, -ENOMEM, s->at);
        snprintf(at, sizeof(at), "below/%zu", j->n_below++);
        return attach(b, s, at);
}

static int attach_all(struct builder *b)
{
        int r = 0;

        for (size_t i = 0; !r && i < b->view->n; i++) {
                const struct jail_shown *s = &b->view->shown[i];

                if (*s->link)
                        r = symlinkat(s->link, b->root, s->at + 1) < 0 ? fail(b, -errno, s->at) : 0;
                else if (jail_lies_in(s->at, "/tmp") || jail_lies_in(s->at, "/var/tmp") ||
                         jail_lies_in(s->at, JAIL_DISK))
                        r = put_aside(b, s);
                else
                        r = attach(b, s, s->at + 1);
        }
        return r;
}

/* The new root takes the old one's place and the old one is let go, with everything that is not in the new
 * one. */
static int move_in(struct builder *b)
{
        struct mount_attr attr = {.attr_set = FIXED};

        if (fchdir(b->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 ||
                chdir("/") < 0)
                return fail(b, -errno, "moving into the root");
        if (mount_setattr(AT_FDCWD, "/", 0, &attr, sizeof(attr)) < 0)
                return fail(b, -errno, "a read-only root");
        return 0;
}

static int build(struct builder *b)
{
        int r = jail_view_take(b->view, b->jail);

        if (!r)
                r = make_root(b);
        if (!r)
                r = furnish(b);
        if (!r && move_mount(b->root, "", AT_FDCWD, BASE, MOVE_MOUNT_F_EMPTY_PATH) < 0)
                r = fail(b, -errno, "a place for the root");
        if (!r)
                r = attach_all(b);
        return r ? r : move_in(b);
}

static void forget_below(struct jail *j)
{
        for (size_t i = 0; i < j->n_below; i++)
                free(j->below[i]);
        j->n_below = 0;
}

int jail_root_build(struct jail *j)
{
        struct builder b = {.jail = j, .root = -1};
        int r;

        forget_below(j);
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return jail_fail(j, -errno, "mounts of its own");
        b.view = malloc(sizeof(*b.view));
        if (!b.view)
                return jail_fail(j, -ENOMEM, "the root");
        r = build(&b);
        jail_view_fini(b.view);
        cleanup_close(&b.root);
        free(b.view);
        return r;
}
