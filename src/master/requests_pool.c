/* The ops that look at the pool and its projects: stats, status, project-usage. */
#include "master/requests.h"

#include "base/clock.h"
#include "master/session.h"
#include "master/supervisor.h"
#include "wire/pack.h"

#include <stdio.h>
#include <unistd.h>

/* Three maps are written into the scratch buffer one after the other; it may move while it grows, so they are kept as
 * offsets until all of them are there. */
struct span {
        size_t at, len;
};

static struct span write_part(struct pack *p, void (*write)(struct pack *, const struct supervisor *),
        const struct supervisor *s)
{
        size_t at = buf_size(p->out);

        write(p, s);
        return (struct span){at, buf_size(p->out) - at};
}

static struct bytes part_bytes(const struct pack *p, struct span s)
{
        return (struct bytes){buf_head(p->out) + s.at, s.len};
}

static struct pack open_scratch(struct supervisor *s)
{
        struct pack p;

        buf_consume(&s->scratch, buf_size(&s->scratch));
        pack_init(&p, &s->scratch);
        return p;
}

/* ---- workers and totals ---- */

/* A process that is not there has no pid: a 0 would be everybody's own group to whoever sends it a signal. */
static void write_pid(struct pack *p, pid_t pid)
{
        if (pid)
                pack_entry_int(p, "pid", pid);
}

static void write_worker(struct pack *p, const struct worker *w)
{
        const struct project *project = w->seat.project;
        const struct task *task = w->seated ? seat_task(&w->seat) : NULL;
        const struct task_type *handler = task_types_handler(w->pool->types, (enum task_class)w->class);
        char id[UUID_TEXT + 1];

        pack_map(p, 5u + (w->pid != 0) + (handler != NULL) + (project != NULL) + (task != NULL));
        write_pid(p, w->pid);
        pack_entry_text(p, "class", class_kind_name((enum class_kind)w->kind));
        if (handler)
                pack_entry_text(p, "type", handler->name);
        pack_entry_text(p, "state", worker_state_name(w));
        pack_entry_uint(p, "tasks", w->seat.tasks_done);
        pack_entry_uint(p, "running", w->seat.n_runs);
        pack_entry_int(p, "startedAt", w->started_wall);
        if (project)
                pack_entry_text(p, "projectId", project->name);
        if (task) {
                uuid_format(&task->id, id);
                pack_entry_text(p, "task", id);
        }
}

static void write_workers(struct pack *p, const struct supervisor *s)
{
        char id[16];

        pack_map(p, s->pool.n_workers);
        list_for_each(node, (struct list *)&s->pool.workers) {
                const struct worker *w = list_entry(node, struct worker, node);

                snprintf(id, sizeof(id), "%u", w->id);
                pack_text(p, id);
                write_worker(p, w);
        }
}

static void write_totals(struct pack *p, const struct supervisor *s)
{
        const struct scheduler_counts *c = &s->scheduler.counts;
        struct scheduler_load load = scheduler_load(&s->scheduler);

        pack_map(p, 12);
        pack_entry_uint(p, "workers", s->pool.n_workers);
        pack_entry_uint(p, "available", load.idle + load.open);
        pack_entry_uint(p, "busy", load.busy);
        pack_entry_uint(p, "queued", c->queued);
        pack_entry_uint(p, "delayed", c->delayed);
        pack_entry_uint(p, "completed", c->completed);
        pack_entry_uint(p, "failed", c->failed);
        pack_entry_uint(p, "cancelled", c->cancelled);
        pack_entry_uint(p, "dead", c->dead);
        pack_entry_uint(p, "refused", c->refused);
        pack_entry_uint(p, "retried", c->retried);
        pack_entry_double(p, "avgTime", c->attempts ? (double)c->run_ns / (double)c->attempts / NS_PER_MS : 0.);
}

/* {TYPE: {NAME: ...}} of the handlers that have any. */
static void write_metrics(struct pack *p, const struct supervisor *s)
{
        size_t mark = pack_map_open(p);
        uint32_t n = 0;

        for (unsigned int i = 0; i < s->types.n_handlers; i++) {
                if (!s->metrics.sets[i].n)
                        continue;
                pack_text(p, s->types.handlers[i].name);
                metrics_write(p, &s->metrics.sets[i]);
                n++;
        }
        pack_map_close(p, mark, n);
}

int request_stats(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct session *s = session_of(p);
        struct supervisor *sv = s->supervisor;
        struct wire_stats_reply reply = {0};
        struct pack pack = open_scratch(sv);
        struct span workers = write_part(&pack, write_workers, sv), totals = write_part(&pack, write_totals, sv),
                    metrics = write_part(&pack, write_metrics, sv);

        (void)body;
        if (pack.error)
                return request_no_memory(pack.error, why);
        if (sv->types.n_handlers)
                WIRE_SET(&reply, stats_reply, metrics, part_bytes(&pack, metrics));
        WIRE_SET(&reply, stats_reply, workers, part_bytes(&pack, workers));
        WIRE_SET(&reply, stats_reply, totals, part_bytes(&pack, totals));
        WIRE_SET(&reply, stats_reply, load, scheduler_load(&sv->scheduler).load);
        WIRE_SET(&reply, stats_reply, uptime, (uint64_t)((clock_now() - sv->started) / NS_PER_MS));
        session_reply(s, WIRE_MESSAGE(stats_reply), seq, &reply);
        return 0;
}

/* ---- projects ---- */

static void write_usage(struct pack *p, const struct project *project)
{
        uint64_t limit = project->settings.limit, used = project->running;

        if (!limit)
                return pack_uint(p, used);
        pack_map(p, 3);
        pack_entry_uint(p, "used", used);
        pack_entry_uint(p, "limit", limit);
        pack_entry_uint(p, "available", used < limit ? limit - used : 0);
}

static void write_all_usage(struct pack *p, const struct supervisor *s)
{
        size_t mark = pack_map_open(p);
        uint32_t n = 0;

        for (const struct project *it = NULL; (it = scheduler_project_next(&s->scheduler, it)); n++) {
                pack_text(p, it->name);
                write_usage(p, it);
        }
        pack_map_close(p, mark, n);
}

static void write_project(struct pack *p, const struct project *project)
{
        const struct project_settings *s = &project->settings;
        uint64_t used = project->running;

        pack_map(p, 4u + (s->limit ? 2 : 0) + (s->rate > 0) + (s->max_queued > 0));
        pack_entry_uint(p, "used", used);
        pack_entry_uint(p, "queued", project->queued + project->delayed);
        pack_entry_bool(p, "paused", s->paused);
        pack_entry_uint(p, "weight", s->weight);
        if (s->rate > 0)
                pack_entry_double(p, "rateLimit", s->rate);
        if (s->max_queued)
                pack_entry_uint(p, "maxQueued", s->max_queued);
        if (!s->limit)
                return;
        pack_entry_uint(p, "limit", s->limit);
        pack_entry_uint(p, "available", used < s->limit ? s->limit - used : 0);
}

static void write_projects(struct pack *p, const struct supervisor *s)
{
        size_t mark = pack_map_open(p);
        uint32_t n = 0;

        for (const struct project *it = NULL; (it = scheduler_project_next(&s->scheduler, it)); n++) {
                pack_text(p, it->name);
                write_project(p, it);
        }
        pack_map_close(p, mark, n);
}

static int write_one_usage(struct pack *p, const struct supervisor *s, struct bytes name, struct wire_refusal *why)
{
        const struct project *project = scheduler_project_find(&s->scheduler, name);

        if (!project)
                return wire_refuse(why, WIRE_NOT_FOUND, "no project \"%.*s\"", (int)name.len, (const char *)name.data);
        pack_map(p, 1);
        pack_text(p, project->name);
        write_usage(p, project);
        return p->error;
}

int request_project_usage(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        const struct wire_project_usage *call = &body->project_usage;
        struct session *s = session_of(p);
        struct wire_project_usage_reply reply = {0};
        struct pack pack = open_scratch(s->supervisor);
        int r = 0;

        if (WIRE_HAS(call, project_usage, project_id))
                r = write_one_usage(&pack, s->supervisor, call->project_id, why);
        else
                write_all_usage(&pack, s->supervisor);
        if (r || pack.error)
                return request_no_memory(r ? r : pack.error, why);
        WIRE_SET(&reply, project_usage_reply, usage, buf_bytes(pack.out));
        session_reply(s, WIRE_MESSAGE(project_usage_reply), seq, &reply);
        return 0;
}

/* ---- status ---- */

static const char *state_name(const struct supervisor *s)
{
        static const char *const names[] = {"serving", "draining", "draining"};

        return names[s->state];
}

/* layers: what holds around it, where it says so. */
static void write_process(struct pack *p, const char *name, const struct subprocess *h, struct bytes layers)
{
        pack_text(p, name);
        pack_map(p, 2u + (h->pid != 0) + (layers.len != 0));
        write_pid(p, h->pid);
        pack_entry_text(p, "state", subprocess_state_name(h->state));
        pack_entry_uint(p, "restarts", h->restarts);
        if (layers.len)
                pack_entry_raw(p, "layers", layers);
}

static void write_failures(struct pack *p, const struct breaker *b)
{
        pack_entry_text(p, "state", breaker_is_open(b) ? "open" : "closed");
        if (!b->failures)
                return;
        pack_entry_uint(p, "failures", b->failures);
        pack_entry_text(p, "reason", b->reason);
}

/* The worst one, and then each that is not in order. */
static void write_breaker(struct pack *p, const struct pool *pool)
{
        enum task_class worst = pool_worst_class(pool);
        uint32_t n = 0;

        for (int c = 0; c < CLASSES; c++)
                n += pool->breakers[c].failures > 0;
        pack_text(p, "breaker");
        pack_map(p, n ? 5 : 1);
        write_failures(p, &pool->breakers[worst]);
        if (!n)
                return;
        pack_entry_text(p, "class", task_types_class_name(pool->types, worst));
        pack_text(p, "classes");
        pack_map(p, n);
        for (int c = 0; c < CLASSES; c++)
                if (pool->breakers[c].failures) {
                        pack_text(p, task_types_class_name(pool->types, (enum task_class)c));
                        pack_map(p, 3);
                        write_failures(p, &pool->breakers[c]);
                }
}

static void write_daemon(struct pack *p, const struct supervisor *s)
{
        const char *config = s->options->config_path;
        bool loads = loader_link_is_wanted(&s->loader);

        pack_map(p, 10u + (config != NULL) + loads);
        pack_entry_text(p, "version", POPPO_VERSION);
        pack_entry_int(p, "pid", getpid());
        pack_entry_text(p, "state", state_name(s));
        pack_entry_text(p, "socket", s->socket_path);
        pack_entry_int(p, "startedAt", s->started_wall);
        pack_entry_int(p, "uptime", (clock_now() - s->started) / NS_PER_MS);
        pack_entry_uint(p, "clients", s->n_sessions);
        if (config)
                pack_entry_text(p, "config", config);
        pack_text(p, "store");
        request_write_store(p, s);
        write_process(p, "spawner", &s->spawner.process, (struct bytes){0});
        if (loads)
                write_process(p, "loader", &s->loader.process, buf_bytes(&s->loader.process.layers));
        write_breaker(p, &s->pool);
}

/* {class: {layer: state}}: the weakest answer would hide which worker gave it, so the newest worker speaks for its class. */
static void write_isolation(struct pack *p, const struct supervisor *s)
{
        struct bytes layers[CLASSES] = {0};
        uint32_t n = 0;

        list_for_each(node, (struct list *)&s->pool.workers) {
                const struct worker *w = list_entry(node, struct worker, node);

                if (w->layers.len)
                        layers[w->class] = w->layers;
        }
        for (int i = 0; i < CLASSES; i++)
                n += layers[i].len > 0;
        pack_map(p, n);
        for (int i = 0; i < CLASSES; i++)
                if (layers[i].len)
                        pack_entry_raw(p, task_types_class_name(&s->types, (enum task_class)i), layers[i]);
}

/* ---- the supervisor's own processes ---- */

static void write_layers(struct pack *p, const char *role, const struct layers *l)
{
        pack_text(p, role);
        pack_map(p, (uint32_t)l->n);
        for (size_t i = 0; i < l->n; i++)
                pack_entry_text(p, l->list[i].name, layer_words[l->list[i].state]);
}

static void write_house(struct pack *p, const struct supervisor *s)
{
        const struct {
                const char *name;
                const struct subprocess *process;
        } helpers[] = {{"spawner", &s->spawner.process}, {"loader", &s->loader.process}, {"store", &s->durable.link.process}};
        size_t mark = pack_map_open(p);
        uint32_t n = 2;

        write_layers(p, "master", &s->layers);
        write_layers(p, "starter", &s->starter.layers);
        for (size_t i = 0; i < sizeof(helpers) / sizeof(helpers[0]); i++)
                if (buf_size(&helpers[i].process->layers)) {
                        pack_entry_raw(p, helpers[i].name, buf_bytes(&helpers[i].process->layers));
                        n++;
                }
        pack_map_close(p, mark, n);
}

int request_status(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct session *s = session_of(p);
        struct supervisor *sv = s->supervisor;
        struct wire_status_reply reply = {0};
        struct pack pack = open_scratch(sv);
        struct span daemon = write_part(&pack, write_daemon, sv), workers = write_part(&pack, write_workers, sv),
                    totals = write_part(&pack, write_totals, sv), projects = write_part(&pack, write_projects, sv),
                    isolation = write_part(&pack, write_isolation, sv), house = write_part(&pack, write_house, sv);

        (void)body;
        if (pack.error)
                return request_no_memory(pack.error, why);
        WIRE_SET(&reply, status_reply, daemon, part_bytes(&pack, daemon));
        WIRE_SET(&reply, status_reply, workers, part_bytes(&pack, workers));
        WIRE_SET(&reply, status_reply, totals, part_bytes(&pack, totals));
        WIRE_SET(&reply, status_reply, load, scheduler_load(&sv->scheduler).load);
        WIRE_SET(&reply, status_reply, projects, part_bytes(&pack, projects));
        WIRE_SET(&reply, status_reply, isolation, part_bytes(&pack, isolation));
        WIRE_SET(&reply, status_reply, house, part_bytes(&pack, house));
        session_reply(s, WIRE_MESSAGE(status_reply), seq, &reply);
        return 0;
}
