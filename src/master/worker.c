/* One worker process: its runs, its frames, its timers, its death. What follows from them is the pool's to say. */
#include "master/worker.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/pidfd.h"
#include "base/utf8.h"
#include "master/pool.h"
#include "master/testimony.h"
#include "wire/cursor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* OUTPUT_MAX: what a worker may send of a run's output after it was asked for it once. SETTINGS_MAX and NOTES_MAX: what it
 * may have to read besides its runs. */
enum { SETTINGS_MAX = 8 * 1024 * 1024, NOTES_MAX = 1024 * 1024, OUTPUT_MAX = 64 * 1024 * 1024 };

static struct worker *of_peer(struct peer *p)
{
        return container_of(p, struct worker, peer);
}

const char *worker_state_name(const struct worker *w)
{
        static const char *const names[] = {"starting", "starting", "", "ending"};

        if (w->state != WORKER_SERVING)
                return names[w->state];
        if (w->seat.state == SEAT_STARTING)
                return "standby";
        return w->seat.n_runs ? "busy" : "idle";
}

/* ---- runs ---- */

struct worker_run *worker_free_run(struct worker *w)
{
        for (uint32_t i = 0; i < w->n_runs; i++)
                if (!w->runs[i].run.task)
                        return &w->runs[i];
        return NULL;
}

static struct worker_run *find_run(struct worker *w, uint64_t number)
{
        list_for_each(node, &w->seat.runs) {
                struct worker_run *r = container_of(node, struct worker_run, run.node);

                /* One without a number was not sent yet. */
                if (r->number == number && number)
                        return r;
        }
        return NULL;
}

struct worker_run *worker_run_of(struct worker *w, const struct task *t)
{
        list_for_each(node, &w->seat.runs) {
                struct worker_run *r = container_of(node, struct worker_run, run.node);

                if (r->run.task == t)
                        return r;
        }
        return NULL;
}

void worker_run_over(struct worker_run *r)
{
        ev_timer_stop(r->worker->pool->loop->ev, &r->deadline);
        asker_forget(&r->worker->asker);
        r->number = 0;
        r->followed = false;
        r->output_bytes = 0;
}

/* ---- signals and timers ---- */

static void send_signal(struct worker *w, int signal)
{
        int r = w->pidfd >= 0 ? pidfd_signal(w->pidfd, w->pid, signal) : 0;

        if (r < 0)
                log_error("worker", "worker %u pid %d: signal %d: %s", w->id, w->pid, signal, error_text(r));
}

static void watch_in(struct worker *w, int64_t ms)
{
        ev_timer_stop(w->pool->loop->ev, &w->watch);
        ev_timer_set(&w->watch, loop_seconds(ms), 0.);
        ev_timer_start(w->pool->loop->ev, &w->watch);
}

static void watch_heartbeats(struct worker *w)
{
        const struct config_worker *c = w->pool->config;

        w->beats = true;
        watch_in(w, c->heartbeat_interval * (c->missed_heartbeats + 1));
}

/* A silent worker is judged only after everything it may have said was heard: we may be the one who was slow. */
static void check_heartbeat(struct worker *w)
{
        const struct config_worker *c = w->pool->config;
        int64_t allowed = c->heartbeat_interval * (c->missed_heartbeats + 1), silent;

        peer_drain(&w->peer);
        if (w->state != WORKER_SERVING || !w->beats)
                return;
        silent = (clock_now() - w->last_heard) / NS_PER_MS;
        if (silent < allowed)
                return watch_in(w, allowed - silent + 1);
        log_warn("worker-silent", "worker %u pid %d has been silent for %lld ms", w->id, w->pid, (long long)silent);
        worker_kill(w, WIRE_WORKER_CRASHED, "missed heartbeats");
}

static void check_start(struct worker *w)
{
        peer_drain(&w->peer);
        if (w->state == WORKER_STARTING)
                worker_kill(w, WIRE_WORKER_CRASHED, "not ready within startTimeout");
}

static void on_watch(struct ev_loop *ev, struct ev_timer *timer, int events)
{
        struct worker *w = timer->data;

        (void)ev;
        (void)events;
        if (w->state == WORKER_SERVING)
                return check_heartbeat(w);
        if (w->state == WORKER_REQUESTED)
                return pool_spawner_silent(w);
        if (w->state == WORKER_STARTING)
                return check_start(w);
        send_signal(w, SIGKILL);
}

static void on_deadline(struct ev_loop *ev, struct ev_timer *timer, int events)
{
        struct worker_run *r = timer->data;
        struct worker *w = r->worker;

        (void)ev;
        (void)events;
        peer_drain(&w->peer);
        if (!r->run.task || w->state != WORKER_SERVING || ev_is_active(&r->deadline))
                return;
        w->culprit = r;
        worker_kill(w, r->run.task->cancel_asked ? WIRE_CANCELLED : WIRE_TIMEOUT, "its task did not end in time");
}

static void deadline_in(struct worker_run *r, int64_t ms)
{
        struct ev_loop *ev = r->worker->pool->loop->ev;

        ev_timer_stop(ev, &r->deadline);
        ev_timer_set(&r->deadline, loop_seconds(ms), 0.);
        ev_timer_start(ev, &r->deadline);
}

/* ---- frames ---- */

/* What holds around a program is said by the one who closed it in. Only where settings change it is it said twice: that can be
 * the network and nothing else. By then it has had to do with somebody's code, so its word counts for itself alone. */
static int take_layers(struct worker *w, struct bytes layers, bool by_program, struct wire_refusal *why)
{
        bool again = w->kind == KIND_SHELL && w->has_layers && !by_program;

        if (!again && ((w->kind == KIND_PROGRAM) == by_program || w->has_layers))
                return wire_refuse(why, WIRE_BAD_FRAME, "layers that are not its own to tell");
        if (testimony_check_layers(layers, why))
                return 1;
        if (again && !testimony_same_layers_but(w->layers, layers, "netNamespace"))
                return wire_refuse(why, WIRE_BAD_FRAME, "other layers than its settings change");
        w->layers = pool_intern_layers(w->pool, layers);
        w->has_layers = true;
        pool_worker_layers(w, layers, !again);
        return 0;
}

static int on_locked(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        (void)seq;
        return take_layers(of_peer(p), body->worker_locked.layers, false, why);
}

static int on_ready(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct worker *w = of_peer(p);

        (void)seq;
        if (WIRE_HAS(&body->worker_ready, worker_ready, layers) &&
                take_layers(w, body->worker_ready.layers, true, why))
                return 1;
        if (!w->has_layers)
                return wire_refuse(why, WIRE_BAD_FRAME, "ready without layers");
        p->state = WIRE_OPEN;
        /* It came too late and was killed already. */
        if (w->state != WORKER_STARTING)
                return 0;
        w->state = WORKER_SERVING;
        w->last_heard = clock_now();
        ev_timer_stop(w->pool->loop->ev, &w->watch);
        if (class_traits[w->kind].beats)
                watch_heartbeats(w);
        pool_worker_ready(w);
        return 0;
}

static int on_beat(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        (void)seq;
        (void)body;
        (void)why;
        of_peer(p)->last_heard = clock_now();
        if (!of_peer(p)->beats && of_peer(p)->state == WORKER_SERVING)
                watch_heartbeats(of_peer(p));
        return 0;
}

static int on_output(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        const struct wire_worker_output *output = &body->worker_output;
        struct worker *w = of_peer(p);
        struct worker_run *r = find_run(w, output->run);

        (void)seq;
        w->last_heard = clock_now();
        if (!r || !r->followed)
                return wire_refuse(why, WIRE_BAD_FRAME, "output that nobody asked for");
        r->output_bytes += output->data.len;
        if (r->output_bytes > OUTPUT_MAX)
                return wire_refuse(why, WIRE_BAD_FRAME, "more output than any limit allows");
        w->pool->ops->on_output(w->pool, r, output);
        return 0;
}

static int on_metric(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct worker *w = of_peer(p);

        (void)seq;
        w->last_heard = clock_now();
        if (w->class < CLASS_HANDLERS)
                return wire_refuse(why, WIRE_BAD_FRAME, "a metric that is no handler's");
        return w->pool->ops->on_metric(w->pool, w, &body->worker_metric, why);
}

static int on_run_reply(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        const struct wire_worker_run_reply *reply = &body->worker_run_reply;
        struct worker *w = of_peer(p);
        struct worker_run *r = find_run(w, seq);

        w->last_heard = clock_now();
        if (!r)
                return wire_refuse(why, WIRE_BAD_FRAME, "a result for run %llu, which is not under way",
                        (unsigned long long)seq);
        if (WIRE_HAS(reply, worker_run_reply, value) == WIRE_HAS(reply, worker_run_reply, error))
                return wire_refuse(why, WIRE_BAD_FRAME, "a result must have either a value or an error");
        if (WIRE_HAS(reply, worker_run_reply, logs) && testimony_check_logs(reply->logs, why))
                return 1;
        return pool_worker_replied(r, reply, why);
}

/* A worker's words are anybody's words. */
static void copy_words(char *to, size_t size, struct bytes text)
{
        snprintf(to, size, "%.*s", (int)text.len, (const char *)text.data);
        for (char *c = to; *c; c++)
                if ((unsigned char)*c < ' ')
                        *c = ' ';
        utf8_repair(to);
}

/* Once is enough: whoever goes on asking is not listened to. */
static int on_retire(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct worker *w = of_peer(p);
        char reason[256];

        (void)seq;
        (void)why;
        if (w->state != WORKER_SERVING || w->seat.retiring)
                return 0;
        copy_words(reason, sizeof(reason), body->worker_retire.reason);
        log_info("worker-retires", "worker %u pid %d asks to be replaced: %s", w->id, w->pid, reason);
        pool_retire(w, "asked to be replaced");
        return 0;
}

/* The process ends by itself. What it says of that is kept until then. */
static int on_failed(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct worker *w = of_peer(p);

        (void)seq;
        (void)why;
        copy_words(w->last_words, sizeof(w->last_words), body->worker_failed.message);
        return 0;
}

static const struct peer_handler handlers[WIRE_IDS] = {
        [WIRE_ID_worker_locked] = {on_locked},
        [WIRE_ID_worker_failed] = {on_failed},
        [WIRE_ID_worker_ready] = {on_ready},
        [WIRE_ID_worker_beat] = {on_beat},
        [WIRE_ID_worker_output] = {on_output},
        [WIRE_ID_worker_metric] = {on_metric},
        [WIRE_ID_worker_retire] = {on_retire},
        [WIRE_ID_worker_run_reply] = {on_run_reply},
        [WIRE_ID_load] = {worker_on_load},
        [WIRE_ID_check] = {worker_on_check},
};

static int on_failure(struct peer *p, uint64_t seq, const struct wire_failure *f, struct wire_refusal *why)
{
        (void)p;
        (void)seq;
        return wire_refuse(why, WIRE_BAD_FRAME, "the worker refused a frame: %.*s",
                (int)(f->message.len > 100 ? 100 : f->message.len), (const char *)f->message.data);
}

static void on_refused(struct peer *p, uint64_t seq, const struct wire_refusal *why, bool fatal)
{
        struct worker *w = of_peer(p);

        (void)seq;
        (void)fatal;
        log_error("worker-error", "worker %u pid %d: frame refused: %s", w->id, w->pid, why->message);
        copy_words(w->last_words, sizeof(w->last_words), wire_str(why->message));
        /* Nothing more is heard from it: what else it sent is not worth a line of the log each. */
        peer_close(p);
        worker_kill(w, WIRE_WORKER_CRASHED, "sent a frame that is not in order");
}

/* A closed channel is no death: the pidfd tells of that, and why. A worker that only closed it is of no use, though. */
static void on_closed(struct peer *p, const char *reason)
{
        struct worker *w = of_peer(p);

        log_debug("worker", "worker %u pid %d: channel %s", w->id, w->pid, reason);
        peer_close(p);
        if (w->state != WORKER_ENDING)
                worker_kill(w, WIRE_OK, NULL);
}

static const struct peer_ops peer_ops = {
        .name = "worker",
        .from = WIRE_WORKER,
        .always_heard = true,
        .depth_max = WIRE_DEPTH_MAX - 1, /* a record stands one level deeper in what clients get */
        .reply = WIRE_MESSAGE(worker_run_reply),
        .handlers = handlers,
        .on_failure = on_failure,
        .on_refused = on_refused,
        .on_closed = on_closed,
};

/* ---- death ---- */

static int64_t ns_of_timeval(struct timeval tv)
{
        return tv.tv_sec * NS_PER_S + tv.tv_usec * NS_PER_US;
}

static bool reap(struct worker *w, struct worker_death *death)
{
        struct rusage usage;
        int status;

        if (wait4(w->pid, &status, WNOHANG, &usage) != w->pid)
                return false;
        *death = (struct worker_death){.killed = WIFSIGNALED(status), .last_words = w->last_words,
                .program = w->kind == KIND_PROGRAM && w->has_layers,
                .status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                .cpu_ns = ns_of_timeval(usage.ru_utime) + ns_of_timeval(usage.ru_stime),
                .max_rss_bytes = (uint64_t)usage.ru_maxrss * 1024};
        return true;
}

static void bury(struct grave *g)
{
        struct worker *w = container_of(g, struct worker, grave);

        ev_timer_stop(w->pool->loop->ev, &w->watch);
        if (w->has_peer)
                peer_fini(&w->peer);
        free(w->runs);
        free(w);
}

static void on_death(struct ev_loop *ev, struct ev_io *io, int events)
{
        struct worker *w = io->data;
        struct worker_death death;

        (void)events;
        /* Its last words may still be in the socket: a result that was sent is a result. Before it is reaped, since they
         * may get it killed, and its number is nobody's from then on. */
        peer_drain(&w->peer);
        if (!reap(w, &death))
                return;
        ev_io_stop(ev, &w->death);
        ev_timer_stop(ev, &w->watch);
        peer_close(&w->peer);
        close(w->pidfd);
        w->pidfd = -1;
        asker_forget(&w->asker);
        pool_worker_died(w, &death);
        loop_bury(w->pool->loop, &w->grave);
}

/* ---- verbs ---- */

static int make_runs(struct worker *w, uint32_t n)
{
        w->runs = calloc(n, sizeof(*w->runs));
        if (!w->runs)
                return error_origin(-ENOMEM);
        w->n_runs = n;
        for (uint32_t i = 0; i < n; i++) {
                w->runs[i].worker = w;
                ev_init(&w->runs[i].deadline, on_deadline);
                w->runs[i].deadline.data = &w->runs[i];
        }
        return 0;
}

struct worker *worker_new(struct pool *pool, uint32_t id, unsigned int slot, enum task_class class)
{
        struct worker *w = calloc(1, sizeof(*w));

        if (!w || make_runs(w, scheduler_capacity(pool->scheduler, class)) < 0) {
                free(w);
                return NULL;
        }
        w->pool = pool;
        w->class = (uint8_t)class;
        w->kind = (uint8_t)task_types_kind(pool->types, class);
        w->id = id;
        w->slot = slot;
        w->pidfd = -1;
        w->requested_at = clock_now();
        w->grave.bury = bury;
        list_init(&w->node);
        list_init(&w->seat.runs);
        asker_init(&w->asker);
        ev_init(&w->death, on_death);
        ev_init(&w->watch, on_watch);
        w->death.data = w->watch.data = w;
        watch_in(w, pool->config->start_timeout);
        return w;
}

/* As much as it has room for: tasks that run are counted by queue.maxBytes, so these bytes are bounded before they are here. */
static size_t out_max(const struct worker *w)
{
        return (size_t)w->n_runs * CHANNEL_FRAME_MAX + SETTINGS_MAX + NOTES_MAX;
}

void worker_attach(struct worker *w, pid_t pid, int channel_fd, int pidfd)
{
        w->pid = pid;
        w->pidfd = pidfd;
        w->state = WORKER_STARTING;
        w->started_wall = clock_wall_ms();
        peer_init(&w->peer, w->pool->loop, channel_fd, &peer_ops, (size_t)w->pool->max_reply_bytes, out_max(w));
        w->has_peer = true;
        ev_io_set(&w->death, pidfd, EV_READ);
        ev_io_start(w->pool->loop->ev, &w->death);
        watch_in(w, w->pool->config->start_timeout);
}

void worker_abandon(pid_t pid, int channel_fd, int pidfd)
{
        close(channel_fd);
        pidfd_signal(pidfd, pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        close(pidfd);
}

int worker_run(struct worker_run *r)
{
        const struct task *t = r->run.task;
        struct worker *w = r->worker;
        struct wire_worker_run body = {0};

        r->number = ++w->last_run;
        WIRE_SET(&body, worker_run, task, t->payload);
        WIRE_SET(&body, worker_run, timeout, (uint64_t)(t->timeout / NS_PER_MS));
        if (r->followed)
                WIRE_SET(&body, worker_run, follow, true);
        if (t->extra && t->extra->traceparent.len)
                WIRE_SET(&body, worker_run, traceparent, t->extra->traceparent);
        if (t->timeout)
                deadline_in(r, t->timeout / NS_PER_MS + w->pool->config->kill_grace);
        return peer_send(&w->peer, WIRE_MESSAGE(worker_run), r->number, &body);
}

int worker_configure(struct worker *w, struct bytes settings, uint64_t revision)
{
        struct wire_worker_configure body = {0};
        int r;

        WIRE_SET(&body, worker_configure, settings, settings);
        r = peer_send(&w->peer, WIRE_MESSAGE(worker_configure), 0, &body);
        if (!r)
                w->settings = revision;
        return r;
}

/* A worker inside of a script hears signals only. The run goes along: what comes late must not touch the next task. */
static int tell_by_signal(struct worker_run *r, int signal)
{
        return error_origin(pidfd_queue(r->worker->pidfd, r->worker->pid, signal, (int)r->number));
}

void worker_cancel(struct worker_run *r)
{
        struct worker *w = r->worker;
        struct wire_worker_cancel body = {0};
        int e;

        WIRE_SET(&body, worker_cancel, run, r->number);
        if (class_traits[w->kind].signalled)
                e = tell_by_signal(r, SIGUSR1);
        else
                e = peer_send(&w->peer, WIRE_MESSAGE(worker_cancel), 0, &body);
        if (e < 0)
                log_error("worker", "worker %u pid %d cannot be asked to cancel: %s", w->id, w->pid, error_text(e));
        deadline_in(r, w->pool->config->kill_grace);
}

void worker_follow(struct worker_run *r)
{
        struct worker *w = r->worker;
        struct wire_worker_follow body = {0};
        int e;

        r->followed = true;
        r->output_bytes = 0;
        WIRE_SET(&body, worker_follow, run, r->number);
        if (class_traits[w->kind].signalled)
                e = tell_by_signal(r, SIGUSR2);
        else
                e = peer_send(&w->peer, WIRE_MESSAGE(worker_follow), 0, &body);
        if (e < 0)
                log_error("worker", "worker %u pid %d cannot be asked for its output: %s", w->id, w->pid, error_text(e));
}

void worker_end(struct worker *w, const char *reason)
{
        if (w->state == WORKER_ENDING)
                return;
        w->state = WORKER_ENDING;
        w->end_reason = reason;
        peer_close(&w->peer);
        watch_in(w, w->pool->config->kill_grace);
}

void worker_kill(struct worker *w, enum wire_code verdict, const char *reason)
{
        if (w->state == WORKER_ENDING && w->verdict != WIRE_OK)
                return;
        if (w->state == WORKER_SERVING)
                pool_worker_condemned(w);
        w->state = WORKER_ENDING;
        w->verdict = verdict;
        w->end_reason = reason;
        ev_timer_stop(w->pool->loop->ev, &w->watch);
        send_signal(w, SIGKILL);
}
