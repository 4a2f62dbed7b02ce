/* The lock file. */
#include "master/lock.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static pid_t read_pid(int fd)
{
        char text[24] = {0};

        return pread(fd, text, sizeof(text) - 1, 0) > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

static int write_pid(int fd)
{
        char text[24];
        int n = snprintf(text, sizeof(text), "%d\n", getpid());

        if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
                return error_origin(-errno);
        return 0;
}

/* The directory may be another user's. What has a second name may be somebody's file, which is not to be written to. */
static int check_own(int fd)
{
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_origin(-errno);
        return !S_ISREG(st.st_mode) || st.st_nlink > 1 ? error_origin(-EEXIST) : 0;
}

int lock_take(const char *path, int *out, pid_t *owner)
{
        CLEANUP(cleanup_close) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        int r;

        *owner = 0;
        if (fd < 0)
                return error_origin(-errno);
        r = check_own(fd);
        if (r < 0)
                return r;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK)
                        return error_origin(-errno);
                *owner = read_pid(fd);
                return LOCK_TAKEN;
        }
        r = write_pid(fd);
        if (r < 0)
                return r;
        *out = TAKE_FD(fd);
        return 0;
}
