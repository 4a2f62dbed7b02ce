/* Opening, links, ownership, reading. */
#include "loader/roots.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/utf8.h"
#include "wire/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As many links as the kernel follows itself. */
enum { LINKS_MAX = 40, RACES_MAX = 16 };

void reason_set(struct reason *why, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        vsnprintf(why->text, sizeof(why->text), format, ap);
        va_end(ap);
        utf8_repair(why->text);
}

/* ---- the roots ---- */

static int open_root(struct root *r, struct bytes path)
{
        struct stat st;

        *r = (struct root){.fd = -1, .path = strndup((const char *)path.data, path.len)};
        if (!r->path)
                return error_origin(-ENOMEM);
        r->fd = open(r->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (r->fd < 0 || fstat(r->fd, &st) < 0) {
                r->fault = -errno;
                log_warn("root-absent", "%s: %s", r->path, error_text(r->fault));
                return 0;
        }
        r->owner = st.st_uid;
        return 0;
}

int roots_open(struct roots *r, struct bytes paths)
{
        struct cursor c = cursor_over(paths);
        struct wire_value head;

        *r = (struct roots){.us = geteuid()};
        if (cursor_read(&c, &head) || head.tag != TAG_ARRAY || head.count > ROOTS_MAX)
                return error_origin(-EPROTO);
        r->list = calloc(head.count + 1, sizeof(*r->list));
        if (!r->list)
                return error_origin(-ENOMEM);
        for (uint32_t i = 0; i < head.count; i++) {
                struct bytes path;
                int fault;

                if (cursor_str(&c, &path) || !path.len || memchr(path.data, 0, path.len))
                        return error_origin(-EPROTO);
                fault = open_root(&r->list[r->n++], path);
                if (fault)
                        return fault;
        }
        return 0;
}

void roots_close(struct roots *r)
{
        for (unsigned int i = 0; i < r->n; i++) {
                if (r->list[i].fd >= 0)
                        close(r->list[i].fd);
                free(r->list[i].path);
        }
        free(r->list);
        *r = (struct roots){0};
}

/* ---- how often ---- */

static unsigned int looks_left;

void roots_allow(unsigned int looks)
{
        looks_left = looks;
}

bool roots_may_look(void)
{
        return looks_left;
}

static void count_look(void)
{
        looks_left -= looks_left > 0;
}

/* ---- beneath one ---- */

/* The root itself is ".". -EAGAIN says that somebody renames directories on the way. */
static int open_beneath(const struct root *r, const struct place *at, int flags)
{
        struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS};
        int fd = -1;

        count_look();
        for (int i = 0; i < RACES_MAX; i++) {
                fd = (int)syscall(SYS_openat2, r->fd, at->len ? at->text : ".", &how, sizeof(how));
                if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
                        break;
        }
        return fd < 0 ? -errno : fd;
}

static bool says_absent(int fault)
{
        return fault == -ENOENT || fault == -ENOTDIR || fault == -ENAMETOOLONG;
}

static int refuse_fault(const struct place *at, int fault, struct reason *why)
{
        if (says_absent(fault))
                return ROOTS_ABSENT;
        reason_set(why, "%s cannot be opened: %s", at->text, error_text(fault));
        return ROOTS_REFUSED;
}

/* What is still to be walked, behind a link that was read. */
struct way {
        char rest[2 * PLACE_BYTES];
        struct place last; /* the link that was read last */
        int links;
};

static int put_before(struct way *w, const char *target, size_t n, const char *behind)
{
        char whole[sizeof(w->rest)];

        if (n + 1 + strlen(behind) >= sizeof(whole))
                return PLACE_TOO_LONG;
        memcpy(whole, target, n);
        whole[n] = '/';
        strcpy(whole + n + 1, behind);
        strcpy(w->rest, whole);
        return 0;
}

static int refuse_link(const struct place *link, struct reason *why)
{
        reason_set(why, "%s is a symbolic link that leaves its root", link->text);
        return ROOTS_REFUSED;
}

/* `link` is one more part of the real way. If it is a link its target takes its place in what is to be
 * walked, else it becomes the real way. */
static int step(const struct root *r, struct place *real, const struct place *link, struct way *w,
        const char *behind, struct reason *why)
{
        CLEANUP(cleanup_close) int fd = open_beneath(r, link, O_PATH | O_NOFOLLOW);
        char target[PLACE_BYTES];
        ssize_t n;

        if (fd < 0)
                return refuse_fault(link, fd, why);
        n = readlinkat(fd, "", target, sizeof(target));
        if (n < 0) {
                *real = *link;
                memmove(w->rest, behind, strlen(behind) + 1);
                return 0;
        }
        if (!n || target[0] == '/')
                return refuse_link(link, why);
        w->last = *link;
        if (++w->links > LINKS_MAX || put_before(w, target, (size_t)n, behind)) {
                reason_set(why, "%s leads through too many symbolic links", link->text);
                return ROOTS_REFUSED;
        }
        return 0;
}

/* Follows the links on the way to a place, so that a module is known by where it really is, as in Node. */
static int follow(const struct root *r, const struct place *at, struct place *real, struct reason *why)
{
        struct way w;
        struct place link;
        int fault = 0;

        strcpy(w.rest, at->text);
        w.links = 0;
        place_root(&w.last);
        place_root(real);
        while (!fault && *w.rest) {
                char *behind = strchrnul(w.rest, '/');
                struct bytes part = {(const uint8_t *)w.rest, (size_t)(behind - w.rest)};

                behind += *behind == '/';
                if (part.len == 2 && !memcmp(part.data, "..", 2) && !real->len)
                        return refuse_link(&w.last, why);
                link = *real;
                if (place_walk(&link, part))
                        return ROOTS_ABSENT;
                if (link.len <= real->len) {
                        *real = link;
                        memmove(w.rest, behind, strlen(behind) + 1);
                        continue;
                }
                fault = step(r, real, &link, &w, behind, why);
        }
        return fault;
}

/* ---- whether it may be used ---- */

static int64_t ns_of(struct timespec ts)
{
        return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static struct mark mark_of(const struct stat *st)
{
        return (struct mark){.dev = st->st_dev,
                .ino = st->st_ino,
                .size = (uint64_t)st->st_size,
                .mtime_ns = ns_of(st->st_mtim),
                .ctime_ns = ns_of(st->st_ctim)};
}

static bool is_trusted(const struct roots *r, const struct root *root, uid_t owner)
{
        return owner == 0 || owner == r->us || owner == root->owner;
}

static int judge(const struct roots *r, const struct root *root, const struct stat *st,
        const struct place *at, struct reason *why)
{
        if (S_ISDIR(st->st_mode))
                return ROOTS_ABSENT;
        if (!S_ISREG(st->st_mode))
                reason_set(why, "%s is not a regular file", at->text);
        else if (!is_trusted(r, root, st->st_uid))
                reason_set(why,
                        "%s belongs to user %u, and must belong to root, the supervisor's user or the owner "
                        "of its root",
                        at->text, st->st_uid);
        else if (st->st_mode & S_IWOTH)
                reason_set(why, "%s may be written by everybody", at->text);
        else if (st->st_size > ROOTS_FILE_MAX)
                reason_set(why, "%s is larger than %d MiB", at->text, ROOTS_FILE_MAX >> 20);
        else
                return 0;
        return ROOTS_REFUSED;
}

int roots_find(const struct roots *r, unsigned int root, const struct place *at, struct found *out,
        struct reason *why)
{
        const struct root *of = &r->list[root];
        const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
        struct stat st;
        int fd, fault = 0;

        if (of->fd < 0) {
                reason_set(why, "the root %s cannot be opened: %s", of->path, error_text(of->fault));
                return ROOTS_REFUSED;
        }
        if (!roots_may_look()) {
                reason_set(why, "too many places would have to be looked at");
                return ROOTS_REFUSED;
        }
        out->place = *at;
        fd = open_beneath(of, at, flags);
        if (fd == -ELOOP) {
                fault = follow(of, at, &out->place, why);
                if (fault)
                        return fault;
                fd = open_beneath(of, &out->place, flags);
        }
        if (fd < 0)
                return refuse_fault(at, fd, why);
        if (fstat(fd, &st) < 0)
                fault = error_origin(-errno);
        else
                fault = judge(r, of, &st, &out->place, why);
        if (fault) {
                close(fd);
                return fault;
        }
        out->fd = fd;
        out->mark = mark_of(&st);
        return 0;
}

/* One call instead of three, since a large package has hundreds of files. A directory on the way that was
 * replaced by a link may lead this look elsewhere; what is there is another file then, and nothing of it is
 * told. */
bool roots_is_same(const struct roots *r, unsigned int root, const struct place *at, const struct mark *mark)
{
        struct mark now;
        struct stat st;

        count_look();
        if (r->list[root].fd < 0 || fstatat(r->list[root].fd, at->text, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return false;
        now = mark_of(&st);
        return !memcmp(&now, mark, sizeof(now));
}

/* ---- its bytes ---- */

static int read_once(const struct found *f, struct buf *out, struct reason *why)
{
        size_t want = (size_t)f->mark.size, got = 0;
        int r = buf_reserve(out, want + 1);

        if (r < 0)
                return r;
        while (got <= want) {
                ssize_t n = pread(f->fd, out->data + out->len + got, want + 1 - got, (off_t)got);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0) {
                        reason_set(why, "%s cannot be read: %s", f->place.text, strerror(errno));
                        return ROOTS_REFUSED;
                }
                if (!n)
                        break;
                got += (size_t)n;
        }
        out->len += got;
        return 0;
}

/* More or less than its size said, or another time: somebody writes to it. */
static bool has_changed(const struct found *f, size_t got)
{
        struct mark now;
        struct stat st;

        if (got != f->mark.size || fstat(f->fd, &st) < 0)
                return true;
        now = mark_of(&st);
        return memcmp(&now, &f->mark, sizeof(now)) != 0;
}

int roots_read(const struct found *f, struct buf *out, struct reason *why)
{
        size_t before = out->len;
        int r = read_once(f, out, why);

        if (r || !has_changed(f, out->len - before))
                return r;
        out->len = before;
        reason_set(why, "%s changes while it is read", f->place.text);
        return ROOTS_REFUSED;
}
