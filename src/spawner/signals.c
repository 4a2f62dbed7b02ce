/*
 * Ctrl-C and its like go to the whole terminal group. When to end is the master's decision alone: it closes the channel,
 * and its death kills. SIGPIPE: the log may be a pipe that nobody reads any more.
 */
#include "spawner/signals.h"

#include <signal.h>
#include <stddef.h>

static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};

static void set_ignored(void (*disposition)(int))
{
        for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
                signal(ignored[i], disposition);
}

void signals_of_spawner(void)
{
        sigset_t none;

        for (int i = 1; i < NSIG; i++)
                signal(i, SIG_DFL);
        set_ignored(SIG_IGN);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

void signals_of_worker(void)
{
        set_ignored(SIG_DFL);
}
