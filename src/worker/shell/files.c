/* Into the private directory. Paths are resolved beneath work/ by the kernel, which is told to follow no
 * link. */
#include "worker/shell/files.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { PATH_MAX_BYTES = 1024 };

static int refuse_path(struct wire_refusal *why, struct bytes path, const char *what)
{
        return wire_refuse(why, WIRE_INVALID_TASK, "\"%.*s\" %s", path.len < 100 ? (int)path.len : 100,
                (const char *)path.data, what);
}

/* Relative, without empty parts, . and .. */
static bool is_plain(const char *path)
{
        for (const char *part = path;; part++) {
                size_t n = strcspn(part, "/");

                if (!n || (part[0] == '.' && (n == 1 || (n == 2 && part[1] == '.'))))
                        return false;
                part += n;
                if (!*part)
                        return true;
        }
}

static int copy_path(char out[static PATH_MAX_BYTES], struct bytes path, struct wire_refusal *why)
{
        if (path.len >= PATH_MAX_BYTES)
                return refuse_path(why, path, "is too long for a path");
        snprintf(out, PATH_MAX_BYTES, "%.*s", (int)path.len, (const char *)path.data);
        if (strlen(out) != path.len || !is_plain(out))
                return refuse_path(
                        why, path, "is no path inside of the private directory: relative, without . and ..");
        return 0;
}

static int open_beneath(int dir, const char *path, uint64_t flags, uint64_t mode)
{
        struct open_how how = {.flags = flags | O_CLOEXEC | O_NOFOLLOW,
                .mode = mode,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
        int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));

        return fd < 0 ? -errno : fd;
}

/* The directory is empty at first, so everything on the way is what these functions made. */
static int make_directories(const struct jail_tree *t, int work, char *path)
{
        for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
                int r;

                *slash = '\0';
                r = mkdirat(work, path, 0755) < 0 ? -errno : 0;
                if (!r && fchownat(work, path, t->jail->uid, t->jail->gid, AT_SYMLINK_NOFOLLOW) < 0)
                        r = -errno;
                *slash = '/';
                if (r && r != -EEXIST)
                        return r;
        }
        return 0;
}

static int write_all(int fd, struct bytes data)
{
        while (data.len) {
                ssize_t n = write(fd, data.data, data.len);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        data.data += n;
                        data.len -= (size_t)n;
                }
        }
        return 0;
}

static int write_file(const struct jail_tree *t, int work, char *path, struct bytes data)
{
        bool script = data.len > 2 && !memcmp(data.data, "#!", 2);
        CLEANUP(cleanup_close) int fd = -1;
        int r = make_directories(t, work, path);

        if (r)
                return r;
        fd = open_beneath(work, path, O_WRONLY | O_CREAT | O_TRUNC, script ? 0755 : 0644);
        if (fd < 0)
                return fd;
        r = write_all(fd, data);
        if (!r && fchown(fd, t->jail->uid, t->jail->gid) < 0)
                r = -errno;
        return r;
}

/* What the sender can mend is a refusal. */
static int judge(int r, struct bytes path, struct wire_refusal *why)
{
        switch (r) {
        case -ENOSPC:
                return wire_refuse(why, WIRE_TOO_LARGE,
                        "the files do not fit into the private directory: it is full at \"%.*s\"",
                        path.len < 64 ? (int)path.len : 64, (const char *)path.data);
        case -ENOTDIR:
        case -EISDIR:
        case -ENAMETOOLONG:
                return refuse_path(why, path, "is a file and a directory, or has a name that is too long");
        default:
                return r;
        }
}

int files_write(const struct jail_tree *t, struct bytes map, struct wire_refusal *why)
{
        CLEANUP(cleanup_close) int work = openat(t->disk, "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct cursor c = cursor_over(map);
        struct wire_value head, name, data;
        int r = work < 0 ? error_origin(-errno) : 0;

        if (!r && (cursor_read(&c, &head) || head.tag != TAG_MAP))
                return wire_refuse(why, WIRE_INVALID_TASK, "files is no map");
        for (uint32_t i = 0; !r && i < head.count; i++) {
                char path[PATH_MAX_BYTES];

                if (cursor_read(&c, &name) || cursor_read(&c, &data) || name.tag != TAG_STR)
                        return wire_refuse(why, WIRE_INVALID_TASK, "files has a name that is no string");
                if (data.tag != TAG_STR && data.tag != TAG_BIN)
                        return refuse_path(why, name.bytes, "in files is neither a string nor bytes");
                r = copy_path(path, name.bytes, why);
                if (!r)
                        r = judge(write_file(t, work, path, data.bytes), name.bytes, why);
        }
        return r;
}

int files_make_directory(const struct jail_tree *t, struct bytes path, struct wire_refusal *why)
{
        CLEANUP(cleanup_close) int work = openat(t->disk, "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
        char at[PATH_MAX_BYTES + 1];
        int r = work < 0 ? -errno : copy_path(at, path, why);

        if (r)
                return r;
        /* One more slash, so that the last part is a directory too. */
        strcat(at, "/");
        r = judge(make_directories(t, work, at), path, why);
        if (!r) {
                struct stat st;

                at[path.len] = '\0';
                if (fstatat(work, at, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
                        return refuse_path(why, path, "is a file, not a directory to start in");
        }
        return r;
}
