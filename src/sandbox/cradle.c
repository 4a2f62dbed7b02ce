/* One job at a time, handed over by two semaphores. */
#include "sandbox/cradle.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>

static void wait_for(sem_t *s)
{
        while (sem_wait(s) < 0 && errno == EINTR) {
        }
}

static void *stand_by(void *arg)
{
        struct cradle *c = arg;

        prctl(PR_SET_NAME, "poppod-cradle");
        c->entered = cgroup_enter_thread(c->host, c->group);
        sem_post(&c->done);
        for (wait_for(&c->go); c->call; wait_for(&c->go)) {
                c->result = c->call(c->arg);
                sem_post(&c->done);
        }
        return NULL;
}

/* Signals are the first thread's. */
static int start(struct cradle *c)
{
        sigset_t all, before;
        int r;

        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&c->thread, NULL, stand_by, c);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return error_origin(-r);
}

int cradle_start(struct cradle *c, const struct cgroup_host *host, const struct cgroup *group)
{
        int r;

        *c = (struct cradle){.host = host, .group = group};
        if (sem_init(&c->go, 0, 0) < 0 || sem_init(&c->done, 0, 0) < 0)
                return error_origin(-errno);
        r = start(c);
        if (r)
                return r;
        c->running = true;
        wait_for(&c->done);
        if (c->entered)
                cradle_stop(c);
        return c->entered;
}

void cradle_stop(struct cradle *c)
{
        if (!c->running)
                return;
        c->call = NULL;
        sem_post(&c->go);
        pthread_join(c->thread, NULL);
        c->running = false;
}

pid_t cradle_call(struct cradle *c, pid_t (*call)(void *arg), void *arg)
{
        c->call = call;
        c->arg = arg;
        sem_post(&c->go);
        wait_for(&c->done);
        return c->result;
}
