/*
 * A thread that stands in the control groups of a jailer's trees, so that what it forks is in them from the
 * first moment on. In version 1 nobody can be born into a group, and to move there costs milliseconds while
 * the kernel waits for all processors; this way it is paid once in a jailer's life. Nothing of the thread's
 * own is charged to the groups: memory is the process's, which stays where it is.
 */
#pragma once

#include "sandbox/cgroup.h"

#include <pthread.h>
#include <semaphore.h>

struct cradle {
        bool running;
        pthread_t thread;
        sem_t go, done;
        const struct cgroup_host *host;
        const struct cgroup *group;
        int entered;
        /* What it is to call; NULL: end. */
        pid_t (*call)(void *arg);
        void *arg;
        pid_t result;
};

/* Starts the thread, and has it enter the group. -errno: it does not run. */
int cradle_start(struct cradle *c, const struct cgroup_host *host, const struct cgroup *group);
/* Ends it: the caller has one thread again. */
void cradle_stop(struct cradle *c);
/* The call, made by the thread while the caller waits. */
pid_t cradle_call(struct cradle *c, pid_t (*call)(void *arg), void *arg);
