/*
 * The fork itself. glibc has no call for CLONE_PARENT with a forked stack, so this is the raw one: its atfork handlers
 * do not run, which is right for a process that never has a second thread.
 */
#include "spawner/child.h"

#include "base/error.h"
#include "spawner/rlimits.h"
#include "spawner/signals.h"
#include "wire/exits.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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

/* The first and last that is heard of it. When the master does not take it, there is the exit status. */
static _Noreturn void give_up(int channel_fd, const struct wire_refusal *why)
{
        struct wire_worker_failed failed = {0};
        struct buf frame;

        buf_init(&frame, 0);
        WIRE_SET(&failed, worker_failed, message, wire_str(why->message));
        if (!wire_encode(&frame, WIRE_MESSAGE(worker_failed), 0, &failed))
                (void)!send(channel_fd, buf_head(&frame), buf_size(&frame), MSG_NOSIGNAL);
        _exit(WORKER_EXIT_HANDLER);
}

static void load(const struct spawner_class *class, const struct wire_spawn *ask, struct lockdown *l)
{
        struct wire_refusal why;
        int r = class->load(ask, &why);

        /* What was loaded takes address space. */
        if (!r)
                r = rlimits_mapped_bytes(&l->mapped_bytes);
        if (r < 0)
                wire_refuse(&why, WIRE_WORKER_CRASHED, "%s", error_text(r));
        if (r)
                give_up(l->channel_fd, &why);
}

/* Nothing here may return: above lies the spawner's loop, with its channel to the master. */
static _Noreturn void become_worker(
        const struct spawner_class *class, const struct wire_spawn *ask, struct lockdown l)
{
        struct buf layers;
        int r;

        signals_of_worker();
        set_name(class->name);
        if (class->load)
                load(class, ask, &l);
        buf_init(&layers, 0);
        r = lockdown_apply(&l, &layers);
        if (r)
                _exit(r == -ESRCH ? WORKER_EXIT_ORPHAN : WORKER_EXIT_LOCKDOWN);
        class->run(LOCKDOWN_CHANNEL_FD, ask, buf_bytes(&layers));
}

pid_t child_start(const struct spawner_class *class, const struct lockdown *l, const struct wire_spawn *ask, int *pidfd)
{
        pid_t pid = clone_sibling(pidfd);

        if (!pid)
                become_worker(class, ask, *l);
        return pid < 0 ? error_origin(-errno) : pid;
}
