/* Signals, one row each. libev turns them into ordinary events. */
#include "master/supervisor.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <signal.h>

static void on_term(struct supervisor *s)
{
        supervisor_end(s, false, "a signal asked for it");
}

static void on_quit(struct supervisor *s)
{
        supervisor_end(s, true, "SIGQUIT");
}

static void on_hup(struct supervisor *s)
{
        char text[4096];

        supervisor_reload(s, text, sizeof(text));
}

static void on_usr1(struct supervisor *s)
{
        int r = supervisor_open_log(s);

        if (r < 0)
                log_error("log", "%s cannot be opened again; the old file stays: %s", s->config.logging.file, error_text(r));
}

static void on_usr2(struct supervisor *s)
{
        const struct scheduler_counts *c = &s->scheduler.counts;
        const struct breaker *worst = &s->pool.breakers[pool_worst_class(&s->pool)];
        struct scheduler_load load = scheduler_load(&s->scheduler);

        log_info("state", "workers %u idle %u busy %u starting %u load %.2f queued %llu delayed %llu running %llu "
                "completed %llu failed %llu cancelled %llu dead %llu kept %zu clients %llu breaker %s",
                s->pool.n_workers, load.idle, load.busy, load.starting, load.load, (unsigned long long)c->queued,
                (unsigned long long)c->delayed, (unsigned long long)c->running, (unsigned long long)c->completed,
                (unsigned long long)c->failed, (unsigned long long)c->cancelled, (unsigned long long)c->dead,
                s->registry.n_tasks, (unsigned long long)s->n_sessions,
                breaker_is_open(worst) ? "open" : "closed");
        for (const struct project *p = NULL; (p = scheduler_project_next(&s->scheduler, p));)
                log_info("state", "project %s running %llu queued %llu delayed %llu limit %u", p->name,
                        (unsigned long long)p->running, (unsigned long long)p->queued, (unsigned long long)p->delayed,
                        p->settings.limit);
}

static void change_max(struct supervisor *s, int step)
{
        struct config_worker *w = &s->config.daemon.worker;
        int64_t max = w->max_processes + step;

        if (max < 1 || max < w->min_processes || max > (int64_t)POOL_SLOTS / 2)
                return log_warn("pool", "maxProcesses stays at %lld", (long long)w->max_processes);
        w->max_processes = max;
        log_info("pool", "maxProcesses is %lld now", (long long)max);
        supervisor_apply(s);
}

static void on_ttin(struct supervisor *s)
{
        change_max(s, 1);
}

static void on_ttou(struct supervisor *s)
{
        change_max(s, -1);
}

static const struct {
        int signal;
        void (*handle)(struct supervisor *);
} rows[] = {
        {SIGTERM, on_term}, {SIGINT, on_term},  {SIGQUIT, on_quit}, {SIGHUP, on_hup},
        {SIGUSR1, on_usr1}, {SIGUSR2, on_usr2}, {SIGTTIN, on_ttin}, {SIGTTOU, on_ttou},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
_Static_assert((int)ROWS <= (int)SUPERVISOR_SIGNALS, "a watcher for each row");

static void on_signal(struct ev_loop *ev, struct ev_signal *w, int events)
{
        (void)ev;
        (void)events;
        for (size_t i = 0; i < ROWS; i++)
                if (rows[i].signal == w->signum)
                        rows[i].handle(w->data);
}

void supervisor_watch_signals(struct supervisor *s)
{
        signal(SIGPIPE, SIG_IGN);
        /* Whoever started us may have ignored it, and then the kernel reaps our children before we can. */
        signal(SIGCHLD, SIG_DFL);
        for (size_t i = 0; i < ROWS; i++) {
                ev_signal_init(&s->signals[i], on_signal, rows[i].signal);
                s->signals[i].data = s;
                ev_signal_start(s->loop.ev, &s->signals[i]);
        }
}

void supervisor_unwatch_signals(struct supervisor *s)
{
        for (size_t i = 0; i < ROWS; i++)
                ev_signal_stop(s->loop.ev, &s->signals[i]);
}
