/* It is started before anything else and outlives all workers, so that no call is left without an answer. */
#include "master/learning.h"

#include "base/error.h"
#include "base/fd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void become_learner(
        const struct learning *l, int line, const char *program, const char *type)
{
        char *const argv[] = {(char *)program, (char *)"--learn", (char *)l->path, (char *)type, NULL};

        if (dup2(line, STDIN_FILENO) < 0 || fd_set_nonblock(STDIN_FILENO, 0) < 0)
                _exit(1);
        execv(program, argv);
        _exit(127);
}

static int start(struct learning *l, const char *program, const char *type)
{
        int pair[2], r = fd_pair(pair);
        char byte;

        if (r)
                return r;
        l->line = pair[0];
        l->pid = fork();
        if (!l->pid)
                become_learner(l, pair[1], program, type);
        close(pair[1]);
        if (l->pid < 0)
                return error_origin(-errno);
        r = fd_set_nonblock(l->line, 0);
        if (!r && read(l->line, &byte, 1) != 1)
                r = error_origin(-EPIPE);
        return r;
}

int learning_start(struct learning *l, const char *program, const char *type)
{
        int r;

        *l = (struct learning){.dir = "/tmp/poppo-learn-XXXXXX", .line = -1};
        if (!mkdtemp(l->dir))
                return error_origin(-errno);
        snprintf(l->path, sizeof(l->path), "%s/learner", l->dir);
        r = start(l, program, type);
        if (!r)
                return 0;
        learning_end(l);
        rmdir(l->dir);
        return r;
}

void learning_end(struct learning *l)
{
        if (l->line >= 0)
                close(l->line);
        while (l->pid > 0 && waitpid(l->pid, NULL, 0) < 0 && errno == EINTR)
                ;
}
