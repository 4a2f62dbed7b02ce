/*
 * The fork itself. glibc has no call for CLONE_PARENT with a forked stack, so this is the raw one: its atfork handlers
 * do not run, which is right for a process that never has a second thread.
 */
#include "spawner/child.h"

#include "base/error.h"
#include "spawner/signals.h"
#include "wire/exits.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t clone_sibling(int *pidfd)
{
        const unsigned long flags = CLONE_PARENT | CLONE_PIDFD | SIGCHLD;

        return (pid_t)syscall(SYS_clone, flags, NULL, pidfd, NULL, 0);
}

static void set_name(const char *class)
{
        char name[16];

        snprintf(name, sizeof(name), "poppod-%s", class);
        prctl(PR_SET_NAME, name);
}

/* Nothing here may return: above lies the spawner's loop, with its channel to the master. */
static _Noreturn void become_worker(
        const struct spawner_class *class, const struct lockdown *l, const struct wire_spawn *ask)
{
        struct buf layers;
        int r;

        signals_of_worker();
        set_name(class->name);
        if (class->load && class->load(ask) < 0)
                _exit(WORKER_EXIT_LOAD);
        buf_init(&layers, 0);
        r = lockdown_apply(l, &layers);
        if (r)
                _exit(r == -ESRCH ? WORKER_EXIT_ORPHAN : WORKER_EXIT_LOCKDOWN);
        class->run(LOCKDOWN_CHANNEL_FD, ask, buf_bytes(&layers));
}

pid_t child_start(const struct spawner_class *class, const struct lockdown *l, const struct wire_spawn *ask, int *pidfd)
{
        pid_t pid = clone_sibling(pidfd);

        if (!pid)
                become_worker(class, l, ask);
        return pid < 0 ? error_origin(-errno) : pid;
}
