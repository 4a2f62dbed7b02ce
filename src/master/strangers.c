/* The kernel's own list of our children is the only one that has them. */
#include "master/strangers.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

static void close_file(FILE **f)
{
        if (*f)
                fclose(*f);
}

static void end_one(pid_t pid)
{
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

/* The list moves while it is read if children go: reaped are those that were read before. */
static int end_some(FILE *children, bool (*known)(void *arg, pid_t pid), void *arg)
{
        pid_t found[64];
        int n = 0;

        while (n < (int)(sizeof(found) / sizeof(*found)) && fscanf(children, "%d", &found[n]) == 1)
                if (!known(arg, found[n]))
                        n++;
        for (int i = 0; i < n; i++)
                end_one(found[i]);
        return n;
}

int strangers_end(bool (*known)(void *arg, pid_t pid), void *arg)
{
        int total = 0, n;

        do {
                CLEANUP(close_file) FILE *children = fopen("/proc/thread-self/children", "re");

                if (!children)
                        return error_origin(-errno);
                n = end_some(children, known, arg);
                total += n;
        } while (n);
        return total;
}
