/* Out of the private directory, which nobody writes to any more. Its links are not followed, and what is
 * mounted in it is not entered. */
#include "worker/shell/files.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 32, PATTERNS_MAX = 64, PARTS_MAX = 16, FILES_MAX = 1000 };

struct walk {
        const struct strings *patterns;
        enum encoding encoding;
        struct pack *out;
        struct wire_refusal *why;
        dev_t dev;
        uint32_t n;
        char path[PATH_MAX];
};

/* ---- patterns ---- */

static bool part_matches(const char *pattern, const char *part)
{
        size_t pattern_len = strcspn(pattern, "/"), part_len = strcspn(part, "/");
        char glob[NAME_MAX + 1], name[NAME_MAX + 1];

        if (pattern_len > NAME_MAX || part_len > NAME_MAX)
                return false;
        snprintf(glob, sizeof(glob), "%.*s", (int)pattern_len, pattern);
        snprintf(name, sizeof(name), "%.*s", (int)part_len, part);
        return fnmatch(glob, name, FNM_PERIOD) == 0;
}

static const char *next_part(const char *path)
{
        path += strcspn(path, "/");
        return *path ? path + 1 : path;
}

static bool is_any(const char *pattern)
{
        return pattern[0] == '*' && pattern[1] == '*' && (!pattern[2] || pattern[2] == '/');
}

/* Only the last ** has to be tried with more: what stands before it has matched as early as it could. As a *
 * does, it stands for nothing that begins with a period. */
static bool matches(const char *pattern, const char *path)
{
        const char *behind_any = NULL, *tried = NULL;

        while (*path) {
                if (is_any(pattern)) {
                        behind_any = pattern = next_part(pattern);
                        tried = path;
                } else if (*pattern && part_matches(pattern, path)) {
                        pattern = next_part(pattern);
                        path = next_part(path);
                } else if (behind_any && *tried != '.') {
                        pattern = behind_any;
                        path = tried = next_part(tried);
                } else {
                        return false;
                }
        }
        while (is_any(pattern))
                pattern = next_part(pattern);
        return !*pattern;
}

static bool wanted(const struct walk *w)
{
        for (size_t i = 0; i < w->patterns->n; i++)
                if (matches(w->patterns->items[i], w->path))
                        return true;
        return false;
}

int files_check_patterns(const struct strings *patterns, struct wire_refusal *why)
{
        if (patterns->n > PATTERNS_MAX)
                return wire_refuse(why, WIRE_INVALID_TASK, "collect has more than %d patterns", PATTERNS_MAX);
        for (size_t i = 0; i < patterns->n; i++) {
                const char *p = patterns->items[i];
                size_t parts = 1;

                for (const char *c = p; *c; c++)
                        parts += *c == '/';
                if (!*p || *p == '/' || p[strlen(p) - 1] == '/' || strstr(p, "//") || parts > PARTS_MAX)
                        return wire_refuse(why, WIRE_INVALID_TASK,
                                "collect's \"%.100s\" is no pattern of a relative path with at most %d parts",
                                p, PARTS_MAX);
        }
        return 0;
}

/* ---- files ---- */

static int too_much(struct walk *w)
{
        return wire_refuse(w->why, WIRE_OUTPUT_LIMIT,
                "the collected files are more than a result may hold: \"%.100s\" did not fit", w->path);
}

/* A file may say that it is larger than what there is room for at all, and have holes. */
static int read_file(struct walk *w, int fd, struct buf *into)
{
        size_t room = w->out->out->limit - buf_size(w->out->out);
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if ((uint64_t)st.st_size > room)
                return too_much(w);
        if (buf_reserve(into, (size_t)st.st_size + 1))
                return -ENOMEM;
        while ((off_t)into->len < st.st_size) {
                ssize_t n = read(fd, into->data + into->len, (size_t)st.st_size - into->len);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                into->len += n > 0 ? (size_t)n : 0;
        }
        return 0;
}

static int collect_file(struct walk *w, int dir, const char *name)
{
        CLEANUP(cleanup_close) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        CLEANUP(buf_fini) struct buf bytes;
        int r;

        buf_init(&bytes, 0);
        if (fd < 0)
                return -errno;
        if (w->n == FILES_MAX)
                return too_much(w);
        r = read_file(w, fd, &bytes);
        if (r)
                return r;
        encode_key(w->out, w->path);
        encode_value(w->out, w->encoding, buf_bytes(&bytes));
        w->n++;
        return w->out->error == -ENOBUFS ? too_much(w) : w->out->error;
}

/* ---- the walk ---- */

static int visit_directory(struct walk *w, int dir, size_t len, int depth);

static int visit(struct walk *w, int dir, const char *name, size_t len, int depth)
{
        size_t longer =
                len + (size_t)snprintf(w->path + len, sizeof(w->path) - len, "%s%s", len ? "/" : "", name);
        struct stat st;
        int sub, r;

        /* Too deep to be named, or gone: not a file that a pattern can mean. */
        if (longer >= sizeof(w->path) || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                st.st_dev != w->dev)
                return 0;
        if (S_ISREG(st.st_mode))
                return wanted(w) ? collect_file(w, dir, name) : 0;
        if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
                return 0;
        sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0)
                return -errno;
        r = visit_directory(w, sub, longer, depth + 1);
        close(sub);
        return r;
}

static int is_entry(const struct dirent *e)
{
        return strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
}

static int visit_directory(struct walk *w, int dir, size_t len, int depth)
{
        struct dirent **entries = NULL;
        int n = scandirat(dir, ".", &entries, is_entry, alphasort), r = n < 0 ? -errno : 0;

        for (int i = 0; i < n; i++) {
                if (!r)
                        r = visit(w, dir, entries[i]->d_name, len, depth);
                free(entries[i]);
        }
        free(entries);
        return r;
}

int files_collect(const struct jail_tree *t, const struct strings *patterns, enum encoding encoding,
        struct pack *out, struct wire_refusal *why)
{
        CLEANUP(cleanup_close)
        int work = openat(t->disk, "work", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct walk w = {.patterns = patterns, .encoding = encoding, .out = out, .why = why};
        size_t mark = pack_map_open(out);
        struct stat st;
        int r;

        /* In a user namespace the command owns what work/ lies in: it may have put something else there. */
        if (work < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
                pack_map_close(out, mark, 0);
                return 0;
        }
        if (work < 0 || fstat(work, &st) < 0)
                return error_origin(-errno);
        w.dev = st.st_dev;
        r = visit_directory(&w, work, 0, 0);
        pack_map_close(out, mark, w.n);
        return r;
}
