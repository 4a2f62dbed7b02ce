/* Taking is open_tree(): a mount without a place, whose flags are set before anybody can see it. */
#include "sandbox/jail_view.h"
#include "sandbox/jail_private.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define LOOK (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define DEVICE (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)

/* Programs and libraries; where the distribution has a link, the root has the same. */
static const char *const system_dirs[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
/* Of /etc: where links to programs lead, and whom TLS trusts (never the private keys beside that). */
static const char *const etc_dirs[] = {"/etc/alternatives", "/etc/ssl/certs"};
static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
struct taker {
        struct jail *jail;
        struct jail_view *view;
};

static int fail(struct taker *t, int r, const char *what)
{
        return jail_fail(t->jail, r, what);
}

static struct jail_shown *add_shown(struct taker *t, const char *at)
{
        struct jail_shown *s = &t->view->shown[t->view->n];

        if (t->view->n == JAIL_SHOWN_MAX || strlen(at) >= sizeof(s->at))
                return NULL;
        t->view->n++;
        *s = (struct jail_shown){.tree = -1};
        snprintf(s->at, sizeof(s->at), "%s", at);
        return s;
}

/* -ENOENT is the caller's to judge. */
static int take(struct taker *t, const char *from, uint64_t attributes)
{
        CLEANUP(cleanup_close)
        int tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        struct mount_attr attr = {.attr_set = attributes};
        struct jail_shown *s;
        struct stat st;

        if (tree < 0)
                return errno == ENOENT ? -ENOENT : fail(t, -errno, from);
        if (fstat(tree, &st) < 0 || (attributes && mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE,
                                                           &attr, sizeof(attr)) < 0))
                return fail(t, -errno, from);
        s = add_shown(t, from);
        if (!s)
                return fail(t, -ENAMETOOLONG, from);
        s->tree = TAKE_FD(tree);
        s->is_dir = S_ISDIR(st.st_mode);
        return 0;
}

static int take_link(struct taker *t, const char *from, const char *to)
{
        struct jail_shown *s = add_shown(t, from);

        if (!s)
                return fail(t, -ENAMETOOLONG, from);
        snprintf(s->link, sizeof(s->link), "%s", to);
        return 0;
}

/* No machine has all of them. */
static int take_all(struct taker *t, const char *const *list, size_t n, uint64_t attributes)
{
        for (size_t i = 0; i < n; i++) {
                char to[PATH_MAX];
                ssize_t len = readlink(list[i], to, sizeof(to) - 1);
                int r;

                to[len > 0 ? len : 0] = '\0';
                r = len > 0 ? take_link(t, list[i], to) : take(t, list[i], attributes);
                if (r && r != -ENOENT)
                        return r;
        }
        return 0;
}

#define TAKE_ALL(t, list, attributes) take_all(t, list, sizeof(list) / sizeof((list)[0]), attributes)

bool jail_lies_in(const char *path, const char *dir)
{
        size_t n = strlen(dir);

        return !strncmp(path, dir, n) && (path[n] == '/' || !path[n]);
}

/* What is there for every jail cannot be a path of one. */
static bool may_be_shown(const char *path)
{
        static const char *const own[] = {"/proc", "/dev", "/sys", "/below"};

        for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
                if (jail_lies_in(path, own[i]))
                        return false;
        return path[0] == '/' && path[1] && strcmp(path, "/tmp") && strcmp(path, "/var/tmp") &&
               strcmp(path, JAIL_DISK) && strcmp(path, "/etc") && !strstr(path, "/..");
}

static int take_paths(struct taker *t)
{
        int r = 0;

        for (const char *const *p = t->jail->spec.paths; p && *p && !r; p++) {
                if (!may_be_shown(*p))
                        return fail(t, -EINVAL, *p);
                r = take(t, *p, LOOK);
                if (r == -ENOENT)
                        return fail(t, r, *p);
        }
        return r;
}

static int take_sources(struct taker *t)
{
        int r = TAKE_ALL(t, system_dirs, LOOK);

        /* As it is and whole: the kernel lets a user namespace mount a /proc of its own only beside such a
         * one. */
        if (!r && t->jail->contained)
                r = take(t, "/proc", 0);
        if (!r)
                r = TAKE_ALL(t, etc_dirs, LOOK);
        if (!r)
                r = TAKE_ALL(t, devices, DEVICE);
        return r ? r : take_paths(t);
}

int jail_view_take(struct jail_view *v, struct jail *j)
{
        struct taker t = {.jail = j, .view = v};

        v->n = 0;
        return take_sources(&t);
}

void jail_view_fini(struct jail_view *v)
{
        for (size_t i = 0; i < v->n; i++)
                cleanup_close(&v->shown[i].tree);
        v->n = 0;
}
