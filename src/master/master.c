/*
 * The master's life: take the locks, listen, start the spawner, serve, and end in order. No client is heard before the
 * spawner was started, so no worker ever inherits a client's bytes.
 */
#include "master/master.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "master/notify.h"
#include "master/session.h"
#include "master/settings.h"
#include "master/strangers.h"
#include "master/supervisor.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

/* For the log, the configuration, the spawner and its successor. */
enum { RESERVED_FDS = 32 };

int master_load_config(struct config *out, const char *path, struct config_error *error)
{
        int r;

        if (path)
                return config_load(out, path, error);
        r = config_defaults(out);
        if (r < 0)
                snprintf(error->text, sizeof(error->text), "%s", error_text(r));
        return r;
}

/* ---- the loop's turn ---- */

static struct supervisor *of_loop(struct loop *l)
{
        return container_of(l, struct supervisor, loop);
}

static bool work_left(const struct supervisor *s)
{
        return s->scheduler.counts.running ||
               (s->state == SUPERVISOR_DRAINING && scheduler_can_run_more(&s->scheduler));
}

static void answer_drained(struct supervisor *s)
{
        struct wire_drain_reply reply = {0};
        struct list *node;

        /* Whoever waits for a drain that an end cuts short is told so when its session ends. */
        if (s->state == SUPERVISOR_ENDING && scheduler_can_run_more(&s->scheduler))
                return;
        while ((node = list_first(&s->drain_waiters))) {
                struct session *session = list_entry(node, struct session, drain_node);

                list_unlink(node);
                session_reply(session, WIRE_MESSAGE(drain_reply), session->drain_seq, &reply);
        }
}

/* With nothing left to run the workers go; with no worker left the loop ends. */
static void proceed_to_end(struct supervisor *s)
{
        if (work_left(s))
                return;
        answer_drained(s);
        if (s->state != SUPERVISOR_ENDING || durable_busy(&s->durable))
                return;
        if (!s->pool.closing)
                pool_close(&s->pool, false);
        if (!s->pool.n_workers)
                ev_break(s->loop.ev, EVBREAK_ALL);
}

static void tick(struct loop *l)
{
        struct supervisor *s = of_loop(l);

        dispatch_run(&s->dispatch);
        durable_look_ahead(&s->durable);
        pool_scale(&s->pool);
        dispatch_set_wake(&s->dispatch);
        if (s->state != SUPERVISOR_SERVING)
                proceed_to_end(s);
}

/* ---- joints between the parts ---- */

static void on_accept(struct listener *l, int fd, const struct ucred *who)
{
        if (session_open(container_of(l, struct supervisor, listener), fd, who) < 0)
                log_error("accept", "no memory for a session");
}

static void on_attempt_ended(struct pool *p, struct worker_run *r, const struct attempt_report *report)
{
        dispatch_attempt_ended(&container_of(p, struct supervisor, pool)->dispatch, r, report);
}

static void on_attempt_unsent(struct pool *p, struct worker_run *r)
{
        dispatch_attempt_unsent(&container_of(p, struct supervisor, pool)->dispatch, r);
}

static void on_output(struct pool *p, struct worker_run *r, const struct wire_worker_output *output)
{
        (void)p;
        session_task_output(r->run.task, output);
}

/* A measurement that there is no memory for is no reason to lose a worker. */
static int on_metric(struct pool *p, struct worker *w, const struct wire_worker_metric *metric, struct wire_refusal *why)
{
        struct supervisor *s = container_of(p, struct supervisor, pool);
        int r = metrics_take(&s->metrics, (unsigned int)w->class - CLASS_HANDLERS, metric, why);

        if (r < 0)
                log_warn("metric", "no memory for a metric of %s", task_types_class_name(&s->types, (enum task_class)w->class));
        return r > 0;
}

static struct buf *empty_settings(struct supervisor *s)
{
        buf_consume(&s->settings_scratch, buf_size(&s->settings_scratch));
        return &s->settings_scratch;
}

static int describe_handler(struct pool *p, enum task_class class, struct wire_handler *out)
{
        struct supervisor *s = container_of(p, struct supervisor, pool);

        return settings_handler(empty_settings(s), &s->config, task_types_class_name(&s->types, class), out);
}

/* The machine's network, by the operator's word for the handler or the project. */
static bool has_network(const struct supervisor *s, const struct worker *w)
{
        const struct task_type *own = task_types_handler(&s->types, (enum task_class)w->class);
        const struct project *project = w->seat.project;

        if (own)
                return config_task_type_find(&s->config, own->name, strlen(own->name))->network;
        return project && config_project_find(&s->config, project->name, strlen(project->name))->network;
}

static int judge_layers(struct pool *p, const struct worker *w, struct bytes layers, char text[static REQUIREMENT_TEXT])
{
        const struct supervisor *s = container_of(p, struct supervisor, pool);

        /* Its filter is open on purpose. */
        if ((int)w->class == p->learns)
                return 0;
        return requirement_check(&s->config.security, has_network(s, w), layers, text);
}

static void on_class_barred(struct pool *p, enum task_class class, const char *reason)
{
        dispatch_refuse_class(&container_of(p, struct supervisor, pool)->dispatch, class, reason);
}

static void on_task_ended(struct dispatch *d, struct task *t)
{
        (void)d;
        session_task_ended(t);
}

/* Once for each worker, and again after a reload: it serves one type and, where that matters, one project. */
static int configure(struct dispatch *d, struct worker *w, const struct task *t)
{
        struct supervisor *s = container_of(d, struct supervisor, dispatch);
        struct buf *out = empty_settings(s);
        int r;

        if (!class_traits[w->kind].configured || w->settings == s->settings)
                return 0;
        r = settings_write(out, &s->config, (enum class_kind)w->kind, t->type->name, t->project->name);
        return r < 0 ? r : worker_configure(w, buf_bytes(out), s->settings);
}

static struct pool *pool_of(struct spawner_link *l)
{
        return &container_of(l, struct supervisor, spawner)->pool;
}

/* Once both helpers are there; kept tasks may still be coming back. */
void supervisor_announce(struct supervisor *s)
{
        if (s->announced || s->spawner.process.state != SUBPROCESS_READY || (s->durable.on && !s->durable.opened))
                return;
        s->announced = true;
        log_info("ready", "poppod %s pid %d serves on %s", POPPO_VERSION, getpid(), s->socket_path);
        if (notify_service(s->notify_fd, "READY=1") < 0)
                log_warn("ready", "the service manager could not be told");
}

static void on_spawner_ready(struct spawner_link *l)
{
        supervisor_announce(container_of(l, struct supervisor, spawner));
}

static void on_spawned(struct spawner_link *l, uint64_t token, pid_t pid, int channel_fd, int pidfd)
{
        pool_spawned(pool_of(l), token, pid, channel_fd, pidfd);
}

static void on_spawn_failed(struct spawner_link *l, uint64_t token, const char *reason)
{
        pool_spawn_failed(pool_of(l), token, reason);
}

/* Whoever else becomes a child of the master must be named here. The spawner was reaped already. */
static bool is_ours(void *arg, pid_t pid)
{
        const struct supervisor *s = arg;

        if (s->options->learn && pid == s->options->learner_pid)
                return true;
        return pid == s->starter.pid || pid == s->loader.process.pid || pid == s->durable.link.process.pid ||
               pool_has_pid(&s->pool, pid);
}

static void on_spawner_lost(struct spawner_link *l)
{
        struct supervisor *s = container_of(l, struct supervisor, spawner);
        int n = strangers_end(s->children_fd, &s->starter, is_ours, s);

        if (n < 0)
                log_warn("spawner-lost", "workers that it did not tell of cannot be looked for: %s", error_text(n));
        else if (n)
                log_info("spawner-lost", "%d workers that it did not tell of were ended", n);
        pool_spawner_lost(pool_of(l));
}

static const struct pool_ops pool_ops = {.on_attempt_ended = on_attempt_ended, .on_attempt_unsent = on_attempt_unsent,
        .on_output = on_output, .on_metric = on_metric, .describe_handler = describe_handler, .judge_layers = judge_layers,
        .on_class_barred = on_class_barred};

static void keep_attempt(struct dispatch *d, struct task *t)
{
        durable_attempt(&container_of(d, struct supervisor, dispatch)->durable, t);
}

static void keep_release(struct dispatch *d, struct task *t)
{
        durable_release(&container_of(d, struct supervisor, dispatch)->durable, t);
}

static void keep_end(struct dispatch *d, struct task *t, enum task_state state)
{
        durable_end(&container_of(d, struct supervisor, dispatch)->durable, t, state);
}

static const struct dispatch_ops dispatch_ops = {.on_task_ended = on_task_ended, .configure = configure,
        .keep_attempt = keep_attempt, .keep_release = keep_release, .keep_end = keep_end};
static const struct spawner_link_ops spawner_ops = {.on_ready = on_spawner_ready, .on_spawned = on_spawned,
        .on_failed = on_spawn_failed, .on_lost = on_spawner_lost};

/* ---- ending ---- */

static void end_now(struct supervisor *s, const char *reason)
{
        log_warn("shutdown", "ends at once: %s", reason);
        s->exit_status = work_left(s) ? EXIT_FAILURE : EXIT_SUCCESS;
        pool_close(&s->pool, true);
}

static void on_shutdown_timeout(struct ev_loop *ev, struct ev_timer *w, int events)
{
        (void)ev;
        (void)events;
        end_now(w->data, "running tasks did not end within shutdownTimeout");
}

void supervisor_drain(struct supervisor *s)
{
        if (s->state != SUPERVISOR_SERVING)
                return;
        s->state = SUPERVISOR_DRAINING;
        scheduler_set_mode(&s->scheduler, SCHEDULER_DRAINING, clock_now());
        log_info("drain", "takes nothing new; %llu tasks run, %llu wait", (unsigned long long)s->scheduler.counts.running,
                (unsigned long long)s->scheduler.counts.queued);
}

void supervisor_end(struct supervisor *s, bool now, const char *reason)
{
        if (s->state == SUPERVISOR_ENDING)
                return end_now(s, reason);
        log_info("shutdown", "%s; %llu tasks run, %llu wait", reason, (unsigned long long)s->scheduler.counts.running,
                (unsigned long long)s->scheduler.counts.queued);
        s->state = SUPERVISOR_ENDING;
        scheduler_set_mode(&s->scheduler, SCHEDULER_STOPPING, clock_now());
        notify_service(s->notify_fd, "STOPPING=1");
        if (now)
                return end_now(s, reason);
        if (!s->config.daemon.shutdown_timeout)
                return;
        ev_timer_set(&s->shutdown, loop_seconds(s->config.daemon.shutdown_timeout), 0.);
        ev_timer_start(s->loop.ev, &s->shutdown);
}

static void close_sessions(struct supervisor *s)
{
        struct list *node;

        while ((node = list_first(&s->sessions)))
                session_shut_down(list_entry(node, struct session, node));
}

/* ---- starting ---- */

/* 0, or the exit status. */
static int find_learning_class(struct supervisor *s)
{
        const char *name = s->options->learn;
        const struct task_type *type = name ? task_types_find(&s->types, wire_str(name)) : NULL;

        if (name && !type) {
                fprintf(stderr, "poppod: --learn: there is no task type %s\n", name);
                return EX_CONFIG;
        }
        if (!type)
                return 0;
        s->pool.learns = type->class;
        log_warn("learning", "workers of %s refuse no system call: run nothing in them that is not trusted",
                task_types_class_name(&s->types, (enum task_class)type->class));
        return 0;
}

static struct wire_spawn_setup spawner_setup(const struct config *c)
{
        struct wire_spawn_setup setup = {0};

        WIRE_SET(&setup, spawn_setup, max_memory_bytes, (uint64_t)c->daemon.worker.max_memory_bytes);
        WIRE_SET(&setup, spawn_setup, max_cpu_ms, (uint64_t)c->daemon.worker.max_cpu_time);
        WIRE_SET(&setup, spawn_setup, heartbeat_ms, (uint64_t)c->daemon.worker.heartbeat_interval);
        WIRE_SET(&setup, spawn_setup, max_result_bytes, (uint64_t)c->queue.max_result_bytes);
        WIRE_SET(&setup, spawn_setup, max_log_bytes, POOL_LOG_BYTES);
        WIRE_SET(&setup, spawn_setup, max_tasks, (uint64_t)c->daemon.worker.max_tasks_per_worker);
        WIRE_SET(&setup, spawn_setup, log_level, (uint64_t)log_get_level());
        return setup;
}

static int start_parts(struct supervisor *s)
{
        const struct config_worker *w = &s->config.daemon.worker;
        struct wire_spawn_setup setup;
        char why[256];
        int r;

        if (task_types_configure(&s->types, &s->config, why, sizeof(why)))
                return error_origin(-E2BIG);
        dispatch_init(&s->dispatch, &s->loop, &s->scheduler, &s->registry, &s->pool, &dispatch_ops);
        loader_link_init(&s->loader, &s->loop, &s->starter, w, &worker_loader_ops);
        pool_init(&s->pool, &s->loop, &s->scheduler, &s->spawner, &s->types, &s->config, s->processors, &pool_ops);
        s->pool.loader = &s->loader;
        r = find_learning_class(s);
        if (r)
                return r;
        supervisor_apply(s);
        supervisor_apply_projects(s, NULL);
        setup = spawner_setup(&s->config);
        if (s->options->learn)
                WIRE_SET(&setup, spawn_setup, learner, wire_str(s->options->learner));
        return spawner_link_init(&s->spawner, &s->loop, &s->starter, &setup, w, &spawner_ops);
}

/* Clients must not use up what a worker needs to be replaced, its successor included. */
void supervisor_reserve_fds(struct supervisor *s)
{
        rlim_t reserve = RESERVED_FDS + 4 * (rlim_t)s->config.daemon.worker.max_processes;
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT_MAX)
                return;
        if (reserve > limit.rlim_cur / 4)
                reserve = limit.rlim_cur / 4;
        s->listener.fd_max = (int)(limit.rlim_cur - reserve);
}

/* 0, or the exit status. Whatever was taken is given back by finish(). */
static int start(struct supervisor *s)
{
        int r = supervisor_settle_in(s, tick, on_accept);

        if (r)
                return r;
        /* Nobody is heard before the loop runs, so the spawner still starts before there is anybody's data. */
        r = start_parts(s);
        if (r > 0)
                return r;
        if (r < 0)
                return supervisor_refuse("spawner", s->options->spawner_program, r);
        supervisor_tell_rights(s);
        r = supervisor_start_store(s);
        return r < 0 ? supervisor_refuse("store", s->options->store_program, r) : 0;
}

static void finish(struct supervisor *s)
{
        close_sessions(s);
        listener_close(&s->listener);
        spawner_link_fini(&s->spawner);
        loader_link_fini(&s->loader);
        durable_fini(&s->durable);
        dispatch_fini(&s->dispatch);
        pool_fini(&s->pool);
        starter_link_fini(&s->starter);
        registry_fini(&s->registry);
        scheduler_fini(&s->scheduler);
        if (s->loop.ev) {
                ev_timer_stop(s->loop.ev, &s->shutdown);
                supervisor_unwatch_signals(s);
        }
        loop_fini(&s->loop);
        buf_fini(&s->scratch);
        buf_fini(&s->settings_scratch);
        metrics_fini(&s->metrics);
        config_fini(&s->config);
}

int master_main(const struct master_options *options)
{
        struct supervisor *s = calloc(1, sizeof(*s));
        struct config_error error;
        int status;

        if (!s)
                return EX_OSERR;
        s->options = options;
        s->retry_after_ms = -1;
        s->started = clock_now();
        s->started_wall = clock_wall_ms();
        s->state_lock_fd = s->notify_fd = s->children_fd = -1;
        list_init(&s->sessions);
        list_init(&s->drain_waiters);
        list_init(&s->store_askers);
        scheduler_init(&s->scheduler, &(struct scheduler_config){0});
        registry_init(&s->registry, &s->scheduler);
        ev_init(&s->shutdown, on_shutdown_timeout);
        s->shutdown.data = s;
        if (master_load_config(&s->config, options->config_path, &error)) {
                fprintf(stderr, "poppod: %s\n", error.text);
                free(s);
                return EX_CONFIG;
        }
        status = start(s);
        if (!status) {
                ev_run(s->loop.ev, 0);
                status = s->exit_status;
                log_info("shutdown", "ended with status %d", status);
        }
        finish(s);
        free(s);
        return status;
}
