/* The supervisor and its store: what the durable part tells, and whom. */
#include "master/supervisor.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "master/requests.h"
#include "master/session.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

static struct supervisor *of_durable(struct durable *d)
{
        return container_of(d, struct supervisor, durable);
}

static void on_let_go(struct registry *r, struct task *t)
{
        durable_forget(&container_of(r, struct supervisor, registry)->durable, t);
}

static void on_kept(struct durable *d, struct task *t)
{
        (void)d;
        session_task_kept(t);
}

static void on_refused(struct durable *d, struct task *t, bool whole, const struct wire_refusal *why)
{
        (void)d;
        session_task_refused(t, whole, why);
}

static void on_setting(struct durable *d, struct project *p, const struct waiter *call, const struct wire_refusal *why)
{
        (void)d;
        if (why)
                session_refuse(call->session, call->seq, why);
        else
                request_setting_done(call->session, p, call);
}

/* Whoever asked for what was not there yet is heard again. */
static void on_loaded(struct durable *d)
{
        list_for_each(node, &of_durable(d)->sessions)
                peer_go_on(&list_entry(node, struct session, node)->peer);
}

static void on_store_opened(struct durable *d)
{
        supervisor_announce(of_durable(d));
}

static void on_measured(struct durable *d, const struct wire_store_measure_reply *figures)
{
        request_store_measured(of_durable(d), figures);
}

static void on_store_unusable(struct durable *d, const struct wire_store_unusable *body)
{
        enum { CORRUPT, NEWER, LOCKED, FAILED };
        static const int statuses[] = {[CORRUPT] = EX_DATAERR, [NEWER] = EX_DATAERR, [LOCKED] = EX_TEMPFAIL, [FAILED] = EX_IOERR};
        struct supervisor *s = of_durable(d);

        log_error("store", "%.*s", (int)body->message.len, (const char *)body->message.data);
        if (body->reason == CORRUPT)
                log_error("store", "look at it with: poppo store check %s; then poppo store recover or poppo store export",
                        d->link.path);
        s->exit_status = statuses[body->reason];
        s->state = SUPERVISOR_ENDING;
        scheduler_set_mode(&s->scheduler, SCHEDULER_STOPPING, clock_now());
        pool_close(&s->pool, true);
        loop_come_round(&s->loop);
}

static const struct durable_ops durable_ops = {.on_kept = on_kept, .on_refused = on_refused, .on_setting = on_setting,
        .on_opened = on_store_opened, .on_loaded = on_loaded, .on_unusable = on_store_unusable, .on_measured = on_measured};

/* Without a place to keep them, tasks last as long as the supervisor. */
int supervisor_start_store(struct supervisor *s)
{
        const struct durable_setup setup = {.scheduler = &s->scheduler, .registry = &s->registry, .dispatch = &s->dispatch,
                .pool = &s->pool, .types = &s->types, .ops = &durable_ops};
        const struct config_store *c = &s->config.store;
        struct store_link_setup store = {.starter = &s->starter, .sync = (uint64_t)c->sync, .path = c->path};
        char path[PATH_MAX];

        if (c->engine == CONFIG_STORE_ENGINE_SQLITE && !*c->path && s->options->state_dir) {
                if (snprintf(path, sizeof(path), "%s/store.db", s->options->state_dir) >= (int)sizeof(path))
                        return error_origin(-ENAMETOOLONG);
                store.path = path;
        }
        if (c->engine == CONFIG_STORE_ENGINE_MEMORY || !*store.path) {
                log_warn("store", "%s: no task outlives the supervisor", *c->path || c->engine == CONFIG_STORE_ENGINE_MEMORY ?
                        "store.engine is memory" : "neither store.path nor --state-dir is given");
                return 0;
        }
        if (!starter_link_has(&s->starter, HELPER_STORE))
                return error_origin(-ENOENT);
        s->registry.on_let_go = on_let_go;
        return durable_start(&s->durable, &s->loop, &setup, &store, &s->config.daemon.worker);
}
