/* The walk. It resolves links by hand, since the kernel would not say through whose directories it went. */
#include "sandbox/trusted.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40, SHOWN = 120 };

struct walk {
        int at;              /* of what was reached: a directory, and in the end the file */
        char done[PATH_MAX]; /* its path, without links; empty at the root */
        char rest[PATH_MAX]; /* what is left of the way */
        int links;
        struct stat st;
        char *fault;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct walk *w, int r, const char *format, ...)
{
        size_t len = strlen(w->done), skip = len > SHOWN ? len - SHOWN : 0;
        int n = snprintf(w->fault, TRUSTED_FAULT, "%s%s ", skip ? "..." : "", len ? w->done + skip : "/");
        va_list ap;

        va_start(ap, format);
        vsnprintf(w->fault + n, (size_t)(TRUSTED_FAULT - n), format, ap);
        va_end(ap);
        return error_origin(r);
}

/* ---- what may be trusted ---- */

static int check_owner(struct walk *w)
{
        if (w->st.st_uid == 0 || w->st.st_uid == geteuid())
                return 0;
        return refuse(
                w, -EPERM, "belongs to user %u: neither to root nor to the supervisor's user", w->st.st_uid);
}

/* Who may write to a sticky directory may not touch the names of others. */
static int check_mode(struct walk *w)
{
        if (S_ISDIR(w->st.st_mode) && (w->st.st_mode & S_ISVTX))
                return 0;
        if (w->st.st_mode & S_IWOTH)
                return refuse(w, -EPERM, "is writable by everybody");
        if (w->st.st_mode & S_IWGRP)
                return refuse(w, -EPERM, "is writable by its group");
        return 0;
}

/* ---- the way ---- */

/* The next name of the rest goes to `name`; 0 when there is none left. */
static size_t take_name(struct walk *w, char name[static NAME_MAX + 1])
{
        const char *from = w->rest + strspn(w->rest, "/");
        size_t len = strcspn(from, "/");

        if (len > NAME_MAX)
                return len;
        memcpy(name, from, len);
        name[len] = '\0';
        memmove(w->rest, from + len, strlen(from + len) + 1);
        return len;
}

static void note_step(struct walk *w, const char *name)
{
        size_t len = strlen(w->done);
        char *slash = strrchr(w->done, '/');

        if (!strcmp(name, ".."))
                w->done[slash ? slash - w->done : 0] = '\0';
        else
                snprintf(w->done + len, sizeof(w->done) - len, "/%s", name);
}

static void go_to(struct walk *w, int fd)
{
        if (w->at >= 0)
                close(w->at);
        w->at = fd;
}

static int go_to_root(struct walk *w)
{
        CLEANUP(cleanup_close) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        int r;

        w->done[0] = '\0';
        if (root < 0 || fstat(root, &w->st) < 0)
                return error_origin(-errno);
        go_to(w, TAKE_FD(root));
        r = check_owner(w);
        return r ? r : check_mode(w);
}

/* What the link says comes before the rest; the walk stays in the link's directory, or begins anew. */
static int follow(struct walk *w, int link)
{
        char target[PATH_MAX];
        ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);
        size_t rest = strlen(w->rest);

        if (++w->links > LINKS_MAX)
                return refuse(w, -ELOOP, "leads through too many symbolic links");
        if (n <= 0 || (size_t)n + 1 + rest >= sizeof(w->rest))
                return refuse(w, -ENAMETOOLONG, "leads nowhere");
        memmove(w->rest + n, w->rest, rest + 1);
        memcpy(w->rest, target, (size_t)n);
        note_step(w, "..");
        return *w->rest == '/' ? go_to_root(w) : 0;
}

static int enter(struct walk *w, const char *name)
{
        CLEANUP(cleanup_close) int fd = openat(w->at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        int r;

        note_step(w, name);
        if (fd < 0 || fstat(fd, &w->st) < 0)
                return refuse(w, -errno, "cannot be opened: %s", error_text(-errno));
        r = check_owner(w);
        if (r)
                return r;
        if (S_ISLNK(w->st.st_mode))
                return follow(w, fd);
        r = check_mode(w);
        if (!r)
                go_to(w, TAKE_FD(fd));
        return r;
}

static int walk(struct walk *w)
{
        char name[NAME_MAX + 1];
        size_t len;
        int r = go_to_root(w);

        while (!r && (len = take_name(w, name)))
                r = len > NAME_MAX      ? refuse(w, -ENAMETOOLONG, "has no such long names below it")
                    : strcmp(name, ".") ? enter(w, name)
                                        : 0;
        return r;
}

/* The last thing that was reached, opened anew through its own descriptor: nothing can come between. */
static int open_reached(struct walk *w, bool executable)
{
        char self[32];
        int fd;

        if (!S_ISREG(w->st.st_mode))
                return refuse(w, -EPERM, "is no regular file");
        if (executable && !(w->st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
                return refuse(w, -EACCES, "is not executable");
        snprintf(self, sizeof(self), "/proc/self/fd/%d", w->at);
        fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        return fd < 0 ? refuse(w, -errno, "cannot be read: %s", error_text(-errno)) : fd;
}

int trusted_open(const char *path, bool executable, char fault[static TRUSTED_FAULT])
{
        struct walk w = {.at = -1, .fault = fault};
        int r;

        if (*path != '/' || strlen(path) >= sizeof(w.rest)) {
                snprintf(fault, TRUSTED_FAULT, "%.*s is no absolute path", SHOWN, path);
                return error_origin(-EINVAL);
        }
        strcpy(w.rest, path);
        r = walk(&w);
        if (!r)
                r = open_reached(&w, executable);
        if (w.at >= 0)
                close(w.at);
        return r;
}
