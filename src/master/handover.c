/* Looks first, and changes the very file that it looked at. */
#include "master/handover.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_ours(const struct stat *st, const struct identity *to)
{
        return !st->st_uid || st->st_uid == to->uid;
}

static int give(int fd, const struct identity *to)
{
        return fchownat(fd, "", to->uid, to->gid, AT_EMPTY_PATH) < 0 ? error_origin(-errno) : 0;
}

int handover_file(int fd, const struct identity *to)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_origin(-errno);
        return S_ISREG(st.st_mode) && st.st_nlink == 1 && is_ours(&st, to) ? give(fd, to) : 0;
}

int handover_socket(const char *path, const struct identity *to)
{
        CLEANUP(cleanup_close) int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_origin(-errno);
        return S_ISSOCK(st.st_mode) && st.st_nlink == 1 && is_ours(&st, to) ? give(fd, to) : 0;
}

static void close_directory(DIR **dir)
{
        if (*dir)
                closedir(*dir);
}

static int give_entries(DIR *dir, const struct identity *to)
{
        struct dirent *entry;
        int r = 0;

        while (!r && (entry = readdir(dir))) {
                CLEANUP(cleanup_close)
                int fd = openat(dirfd(dir), entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

                if (fd >= 0)
                        r = handover_file(fd, to);
        }
        return r;
}

int handover_directory(const char *path, const struct identity *to)
{
        CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        CLEANUP(close_directory) DIR *dir = NULL;
        struct stat st;
        int r;

        if (fd < 0 || fstat(fd, &st) < 0)
                return error_origin(-errno);
        if (!is_ours(&st, to))
                return error_origin(-EPERM);
        dir = fdopendir(fd);
        if (!dir)
                return error_origin(-errno);
        TAKE_FD(fd);
        r = give_entries(dir, to);
        return r ? r : give(dirfd(dir), to);
}

int handover_parent(const char *path, const struct identity *to)
{
        char dir[PATH_MAX];
        char *slash;

        if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir) || !(slash = strrchr(dir, '/')))
                return error_origin(-EINVAL);
        *slash = 0;
        return handover_directory(dir, to);
}
