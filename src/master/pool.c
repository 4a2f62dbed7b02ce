/* Starting, replacing and retiring workers; how many there should be is in pool_scale.c. */
#include "master/pool.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REPLY_SLACK = 128 * 1024 };

/* ---- slots ---- */

static int take_slot(struct pool *p)
{
        for (unsigned int i = 0; i < POOL_SLOTS / 64; i++)
                if (~p->slots[i]) {
                        unsigned int bit = (unsigned int)__builtin_ctzll(~p->slots[i]);

                        p->slots[i] |= UINT64_C(1) << bit;
                        return (int)(i * 64 + bit);
                }
        return -1;
}

static void give_slot(struct pool *p, unsigned int slot)
{
        p->slots[slot / 64] &= ~(UINT64_C(1) << slot % 64);
}

/* ---- starting ---- */

/* From now on the scheduler counts on this worker. A successor that stands by is none of its business before that. */
static void take_seat(struct worker *w)
{
        w->seated = true;
        scheduler_seat_added(w->pool->scheduler, &w->seat, (enum task_class)w->class, w->n_runs);
        if (w->state == WORKER_SERVING)
                scheduler_seat_ready(w->pool->scheduler, &w->seat, clock_now());
}

static void unlink_successor(struct worker *w)
{
        w->successor->predecessor = NULL;
        w->successor = NULL;
}

/* A successor that stands by, or is on its way, takes an ordinary place. */
static void promote_successor(struct worker *w)
{
        struct worker *next = w->successor;

        if (!next)
                return;
        unlink_successor(w);
        take_seat(next);
}

static void remove_worker(struct worker *w)
{
        list_unlink(&w->node);
        give_slot(w->pool, w->slot);
        w->pool->n_workers--;
        if (w->predecessor)
                unlink_successor(w->predecessor);
        promote_successor(w);
        if (w->seated)
                scheduler_seat_gone(w->pool->scheduler, &w->seat, clock_now());
}

static void drop_request(struct worker *w)
{
        remove_worker(w);
        loop_bury(w->pool->loop, &w->grave);
}

static int request(struct worker *w)
{
        struct pool *p = w->pool;
        struct wire_spawn body = {0};

        WIRE_SET(&body, spawn, class, w->kind);
        WIRE_SET(&body, spawn, slot, w->slot);
        if (w->class == p->learns)
                WIRE_SET(&body, spawn, learn, true);
        if (task_types_handler(p->types, (enum task_class)w->class)) {
                int r = p->ops->describe_handler(p, (enum task_class)w->class, &body.handler);

                if (r < 0)
                        return r;
                body.has |= 1u << WIRE_AT_spawn_handler;
        }
        return spawner_link_request(p->spawner, w->id, &body);
}

int pool_start(struct pool *p, enum task_class class, struct worker *predecessor)
{
        int slot = take_slot(p), r;
        struct worker *w;

        if (slot < 0)
                return error_origin(-EAGAIN);
        w = worker_new(p, ++p->next_id, (unsigned int)slot, class);
        if (!w) {
                give_slot(p, (unsigned int)slot);
                return error_origin(-ENOMEM);
        }
        list_push_back(&p->workers, &w->node);
        p->n_workers++;
        w->predecessor = predecessor;
        if (predecessor)
                predecessor->successor = w;
        else
                take_seat(w);
        r = request(w);
        if (r < 0)
                drop_request(w);
        return r;
}

bool pool_may_start(const struct pool *p, enum task_class class, int64_t now)
{
        return !p->closing && p->spawner->process.state == SUBPROCESS_READY && !breaker_holds(&p->breakers[class], now);
}

void pool_try_again(struct pool *p)
{
        for (int c = 0; c < CLASSES; c++)
                breaker_try_again(&p->breakers[c]);
}

enum task_class pool_worst_class(const struct pool *p)
{
        enum task_class worst = CLASS_JS;

        for (int c = 0; c < CLASSES; c++)
                if (p->breakers[c].failures > p->breakers[worst].failures)
                        worst = (enum task_class)c;
        return worst;
}

static void start_failed(struct pool *p, enum task_class class, const char *reason)
{
        struct breaker *b = &p->breakers[class];
        const char *name = task_types_class_name(p->types, class);
        bool was_open = breaker_is_open(b);
        int64_t wait = breaker_fail(b, reason, clock_now(), p->config->respawn_backoff, p->config->respawn_backoff_max);

        scheduler_hold_class(p->scheduler, class, true);
        log_warn("worker-error", "a %s worker did not start: %s; the next one in %lld ms", name, reason, (long long)wait);
        if (!was_open && breaker_is_open(b))
                log_error("breaker", "open: %u %s workers in a row did not start: %s", b->failures, name, reason);
}

static void start_succeeded(struct pool *p, enum task_class class)
{
        if (breaker_close(&p->breakers[class]))
                log_info("breaker", "closed: a %s worker started", task_types_class_name(p->types, class));
        scheduler_hold_class(p->scheduler, class, false);
}

void pool_worker_layers(struct worker *w, struct bytes layers, bool fresh)
{
        struct pool *p = w->pool;
        enum task_class class = (enum task_class)w->class;
        char text[REQUIREMENT_TEXT];

        if (!p->ops->judge_layers(p, w, layers, text))
                return;
        snprintf(w->last_words, sizeof(w->last_words), "%s", text);
        if (!fresh)
                return worker_kill(w, WIRE_WORKER_CRASHED, "too little holds around it");
        if (breaker_bar(&p->breakers[class], text))
                log_error("isolation", "%s tasks are refused: %s", task_types_class_name(p->types, class), text);
        scheduler_hold_class(p->scheduler, class, true);
        worker_kill(w, WIRE_WORKER_CRASHED, "too little holds around it");
        p->ops->on_class_barred(p, class, p->breakers[class].reason);
}

/* ---- retiring ---- */

void pool_worker_condemned(struct worker *w)
{
        if (w->seated)
                scheduler_seat_retire(w->pool->scheduler, &w->seat, clock_now());
        if (w->predecessor)
                unlink_successor(w->predecessor);
        promote_successor(w);
}

void pool_retire(struct worker *w, const char *reason)
{
        pool_worker_condemned(w);
        if (!w->seat.n_runs)
                worker_end(w, reason);
        else
                w->end_reason = reason;
}

void pool_retire_class(struct pool *p, enum task_class class, const char *reason)
{
        list_for_each_safe(node, &p->workers) {
                struct worker *w = list_entry(node, struct worker, node);

                if (w->class != class)
                        continue;
                if (w->state == WORKER_SERVING && !w->seat.retiring)
                        pool_retire(w, reason);
                else if (w->state == WORKER_REQUESTED || w->state == WORKER_STARTING)
                        w->end_reason = reason;
        }
}

void pool_trim_class(struct pool *p, enum task_class class, const char *reason)
{
        const struct class_pool *of = &p->scheduler->pools[class];

        for (int busy = 0; busy <= 1; busy++)
                list_for_each_safe(node, &p->workers) {
                        struct worker *w = list_entry(node, struct worker, node);

                        if (!of->max_seats || of->seats <= of->max_seats)
                                return;
                        if (w->class == class && w->state == WORKER_SERVING && w->seated && !w->seat.retiring &&
                                busy == (w->seat.n_runs > 0))
                                pool_retire(w, reason);
                }
}

/* One with room for many tasks may be long over its last ones, and others would be worn meanwhile: they serve on, since
 * there would be no end to the processes. */
static bool waits_for_another(const struct worker *w)
{
        return w->seat.capacity > 1 && w->pool->scheduler->n_draining;
}

/* The successor is asked for when half of the tasks are done, so that it stands by when the other half is. Until it does
 * the worn worker serves on: there is no moment with one worker less, even if all of them are worn at once. */
static void recycle(struct worker *w)
{
        uint64_t done = w->seat.tasks_done;

        if (!w->task_limit || w->seat.retiring || waits_for_another(w))
                return;
        if (!w->successor && done >= w->task_limit / 2 &&
                pool_may_start(w->pool, (enum task_class)w->class, clock_now()) &&
                pool_start(w->pool, (enum task_class)w->class, w) < 0)
                return log_warn("worker-error", "no successor for worker %u could be started", w->id);
        if (w->successor && w->successor->state == WORKER_SERVING && done >= w->task_limit)
                pool_retire(w, "recycled");
}

static uint64_t draw_task_limit(const struct pool *p)
{
        double limit = (double)p->config->max_tasks_per_worker;

        return limit < 1 ? 0 : 1 + (uint64_t)(limit - 1 - drand48() * p->config->max_tasks_jitter * limit);
}

/* ---- from workers ---- */

static bool same_bytes(struct bytes a, struct bytes b)
{
        return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

/* Workers of one class give the same answer, so that records can point at it instead of holding it. */
struct bytes pool_intern_layers(struct pool *p, struct bytes layers)
{
        uint8_t *copy;

        for (size_t i = 0; i < p->n_layers; i++)
                if (same_bytes(p->layers[i], layers))
                        return p->layers[i];
        copy = p->n_layers < POOL_LAYERS_MAX ? malloc(layers.len) : NULL;
        if (!copy)
                return (struct bytes){0};
        memcpy(copy, layers.data, layers.len);
        return p->layers[p->n_layers++] = (struct bytes){copy, layers.len};
}

void pool_worker_ready(struct worker *w)
{
        struct pool *p = w->pool;
        int64_t now = clock_now();

        start_succeeded(p, (enum task_class)w->class);
        w->was_ready = true;
        w->task_limit = draw_task_limit(p);
        p->started++;
        log_info("worker-started", "worker %u pid %d class %s slot %u in %.1f ms", w->id, w->pid,
                task_types_class_name(p->types, (enum task_class)w->class), w->slot, (double)(now - w->requested_at) / NS_PER_MS);
        if (w->end_reason)
                pool_retire(w, w->end_reason);
        else if (w->seated)
                scheduler_seat_ready(p->scheduler, &w->seat, now);
        else if (w->predecessor)
                recycle(w->predecessor);
}

void pool_run_returned(struct worker *w)
{
        if (w->seat.retiring && !w->seat.n_runs && w->state != WORKER_ENDING)
                worker_end(w, w->end_reason ? w->end_reason : "spent");
        else if (w->state == WORKER_SERVING)
                recycle(w);
}

void pool_attempt_over(struct worker_run *r, const struct attempt_report *report)
{
        struct worker *w = r->worker;

        worker_run_over(r);
        w->pool->ops->on_attempt_ended(w->pool, r, report);
        pool_run_returned(w);
}

/* A worker's word, and sums are made of it: no more than all processors together had since the attempt began. */
static int64_t plausible_cpu(const struct worker_run *r, uint64_t cpu_us)
{
        int64_t most = (clock_now() - r->run.task->since) * r->worker->pool->processors;

        return cpu_us < (uint64_t)(most / NS_PER_US) ? (int64_t)cpu_us * NS_PER_US : most;
}

/* Its worker is killed for another run's sake. */
static bool is_innocent(const struct worker_run *r)
{
        return r->worker->culprit && r->worker->culprit != r;
}

int pool_worker_replied(struct worker_run *r, const struct wire_worker_run_reply *reply, struct wire_refusal *why)
{
        struct attempt_report report = {.value = reply->value, .logs = reply->logs, .timings = reply->timings,
                .truncated = reply->truncated, .cpu_ns = plausible_cpu(r, reply->cpu_us),
                .max_memory_bytes = reply->max_memory_bytes, .worker_lost = r->worker->state == WORKER_ENDING,
                .innocent = is_innocent(r)};
        struct buf error = {0};

        if (WIRE_HAS(reply, worker_run_reply, error)) {
                report.code = wire_code_find(reply->error.code);
                if (report.code == WIRE_OK)
                        return wire_refuse(why, WIRE_BAD_FRAME, "a result with an unknown error code");
                /* Encoded anew: what a worker adds to an error beyond its known fields goes no further. */
                if (wire_encode_map(&error, WIRE_MESSAGE(failure), &reply->error) < 0)
                        return wire_refuse(why, WIRE_BAD_FRAME, "no memory for the error");
                report.error = buf_bytes(&error);
        } else if (reply->value.len > r->worker->pool->max_result_bytes) {
                report.value = (struct bytes){0};
                report.code = WIRE_RESULT_TOO_LARGE;
                report.message = "the result is larger than queue.maxResultBytes";
        }
        r->worker->cpu_told += report.cpu_ns;
        pool_attempt_over(r, &report);
        buf_fini(&error);
        return 0;
}

/* Each task is told what is known: the one for whose sake we killed the worker why, the others that it was not for theirs. */
static void end_attempts(struct worker *w, const struct worker_death *death, enum wire_code code, const char *text)
{
        struct list *node;

        while ((node = list_first(&w->seat.runs))) {
                struct worker_run *r = container_of(node, struct worker_run, run.node);
                struct attempt_report report = {.code = code, .message = text, .worker_lost = true,
                        .signal = (uint8_t)(death->killed ? death->status : 0), .max_memory_bytes = death->max_rss_bytes,
                        .cpu_ns = w->n_runs == 1 && death->cpu_ns > w->cpu_told ? death->cpu_ns - w->cpu_told : 0};

                if (!r->number) {
                        w->pool->ops->on_attempt_unsent(w->pool, r);
                        continue;
                }
                if (is_innocent(r)) {
                        report.innocent = true;
                        report.code = WIRE_WORKER_CRASHED;
                        report.message = "its worker had to be killed for another task's sake";
                }
                pool_attempt_over(r, &report);
        }
}

void pool_worker_died(struct worker *w, const struct worker_death *death)
{
        struct pool *p = w->pool;
        char text[VERDICT_TEXT];
        enum wire_code code = verdict_of_death(death, w->verdict, w->end_reason, text, sizeof(text));
        bool expected = w->state == WORKER_ENDING && w->verdict == WIRE_OK && w->end_reason;
        bool useless = !w->was_ready || (!w->seat.n_runs && !w->seat.tasks_done && !expected);

        w->state = WORKER_ENDING; /* nothing below may try to end it once more */
        p->died++;
        log_at(expected ? LOG_INFO : LOG_WARN, "worker-terminated", "worker %u pid %d after %llu tasks: %s", w->id, w->pid,
                (unsigned long long)w->seat.tasks_done, expected ? w->end_reason : text);
        end_attempts(w, death, code, text);
        /* One that dies on its first wait for work has not really started: the next ones must not follow without a pause. */
        if (useless && !p->closing && !p->breakers[w->class].barred)
                start_failed(p, (enum task_class)w->class, text);
        remove_worker(w);
}

/* ---- from the spawner ---- */

struct worker *pool_find(const struct pool *p, uint64_t id)
{
        list_for_each(node, (struct list *)&p->workers) {
                struct worker *w = list_entry(node, struct worker, node);

                if (w->id == id)
                        return w;
        }
        return NULL;
}

bool pool_has_pid(const struct pool *p, pid_t pid)
{
        list_for_each(node, (struct list *)&p->workers) {
                const struct worker *w = list_entry(node, struct worker, node);

                if (w->pidfd >= 0 && w->pid == pid)
                        return true;
        }
        return false;
}

void pool_spawned(struct pool *p, uint64_t id, pid_t pid, int channel_fd, int pidfd)
{
        struct worker *w = pool_find(p, id);

        if (!w || w->pidfd >= 0)
                return worker_abandon(pid, channel_fd, pidfd);
        worker_attach(w, pid, channel_fd, pidfd);
}

void pool_spawn_failed(struct pool *p, uint64_t id, const char *reason)
{
        struct worker *w = pool_find(p, id);

        if (!w || w->pidfd >= 0)
                return;
        start_failed(p, (enum task_class)w->class, reason);
        drop_request(w);
}

void pool_spawner_silent(struct worker *w)
{
        struct pool *p = w->pool;

        peer_drain(&p->spawner->process.peer);
        if (w->state != WORKER_REQUESTED || p->spawner->process.state != SUBPROCESS_READY)
                return;
        log_error("spawner", "did not answer within startTimeout");
        subprocess_kill(&p->spawner->process);
}

void pool_spawner_lost(struct pool *p)
{
        list_for_each_safe(node, &p->workers) {
                struct worker *w = list_entry(node, struct worker, node);

                if (w->pidfd < 0)
                        drop_request(w);
        }
}

/* ---- life ---- */

int pool_init(struct pool *p, struct loop *loop, struct scheduler *scheduler, struct spawner_link *spawner,
        const struct task_types *types, const struct config *config, int processors, const struct pool_ops *ops)
{
        *p = (struct pool){.loop = loop, .scheduler = scheduler, .spawner = spawner, .types = types, .ops = ops,
                .config = &config->daemon.worker, .learns = -1};
        list_init(&p->workers);
        srand48((long)clock_now());
        p->processors = processors;
        loop_alarm_init(&p->wake);
        p->max_result_bytes = (uint64_t)config->queue.max_result_bytes;
        p->max_reply_bytes = p->max_result_bytes + POOL_LOG_BYTES + REPLY_SLACK;
        autoscaler_init(&p->autoscaler, &(struct autoscaler_config){0}, clock_now());
        pool_configure(p, config);
        return 0;
}

void pool_fini(struct pool *p)
{
        if (!p->loop)
                return;
        ev_timer_stop(p->loop->ev, &p->wake);
        for (size_t i = 0; i < p->n_layers; i++)
                free((void *)p->layers[i].data);
}

void pool_close(struct pool *p, bool now)
{
        p->closing = true;
        list_for_each_safe(node, &p->workers) {
                struct worker *w = list_entry(node, struct worker, node);

                if (w->state == WORKER_REQUESTED)
                        drop_request(w);
                else if (now)
                        worker_kill(w, WIRE_SHUTTING_DOWN, "the supervisor ends");
                else
                        worker_end(w, "the supervisor ends");
        }
}
