/* The kernel's own list of our children is the only one that has them. */
#include "master/strangers.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIST_MAX = 64 * 1024, FOUND_MAX = 64 };

int strangers_open_list(void)
{
        int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);

        return fd < 0 ? error_origin(-errno) : fd;
}

/* As text: pids with a space behind each. */
static ssize_t read_list(int list, char *text)
{
        size_t len = 0;
        ssize_t n;

        while (len < LIST_MAX - 1 && (n = pread(list, text + len, LIST_MAX - 1 - len, (off_t)len)))
                if (n > 0)
                        len += (size_t)n;
                else if (errno != EINTR)
                        return error_origin(-errno);
        text[len] = 0;
        return (ssize_t)len;
}

static int end_one(struct starter_link *starter, pid_t pid)
{
        int r = starter_link_kill(starter, pid);

        if (r < 0)
                return r;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return 0;
}

/* The list moves while it is read if children go: reaped are those that were read before. */
static int end_some(int list, struct starter_link *starter, bool (*known)(void *arg, pid_t pid), void *arg)
{
        static char text[LIST_MAX];
        pid_t found[FOUND_MAX];
        ssize_t len = read_list(list, text);
        int n = 0, r = 0;

        for (char *at = text; len > 0 && n < FOUND_MAX;) {
                char *behind;
                long pid = strtol(at, &behind, 10);

                if (behind == at)
                        break;
                if (!known(arg, (pid_t)pid))
                        found[n++] = (pid_t)pid;
                at = behind;
        }
        for (int i = 0; !r && i < n; i++)
                r = end_one(starter, found[i]);
        return r ? r : len < 0 ? (int)len : n;
}

int strangers_end(int list, struct starter_link *starter, bool (*known)(void *arg, pid_t pid), void *arg)
{
        int total = 0, n;

        if (list < 0)
                return list;
        while ((n = end_some(list, starter, known, arg)) > 0)
                total += n;
        return n < 0 ? n : total;
}
