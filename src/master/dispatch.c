/* Carrying out decisions; ending attempts; ending tasks. */
#include "master/dispatch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "master/record.h"
#include "master/waiter.h"
#include "wire/cursor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* ---- ends ---- */

/* Without memory for what came back, the record must not pretend that nothing did. */
static void keep_report(struct task *t, const struct attempt_report *r, struct bytes layers, int64_t run_ns)
{
        struct task_outcome *o = task_outcome_reset(t);

        if (!o)
                return log_error("task", "no memory for an outcome");
        o->code = r->code;
        o->truncated = r->truncated;
        o->run_ns = run_ns;
        o->cpu_ns = r->cpu_ns;
        o->max_memory_bytes = r->max_memory_bytes;
        o->isolation = layers;
        o->value = bytes_dup(r->value);
        o->logs = bytes_dup(r->logs);
        o->timings = bytes_dup(r->timings);
        if (r->value.len && !o->value.data)
                o->code = WIRE_OUT_OF_MEMORY;
        o->error = r->error.len ? bytes_dup(r->error) :
                   o->code != WIRE_OK ? record_error(o->code, r->message ? r->message : wire_codes[o->code].doc) :
                                        (struct bytes){0};
}

/* The task is in its last state. Afterwards it may be gone: the budget for records can be smaller than this one. */
static void conclude(struct dispatch *d, struct task *t)
{
        task_drop_payload(t);
        d->ops->on_task_ended(d, t);
        registry_keep(d->registry, t);
}

void dispatch_end_kept(struct dispatch *d, struct task *t, enum task_state state)
{
        t->ending = false;
        scheduler_finish(d->scheduler, t, state, clock_now());
        conclude(d, t);
}

/* The state stays what it is until the end is on disk: so nobody sees it before, and nobody needs to be asked. */
static void finish(struct dispatch *d, struct task *t, enum task_state state)
{
        if (!t->place)
                return dispatch_end_kept(d, t, state);
        t->ending = true;
        d->ops->keep_end(d, t, state);
}

/* An end without an attempt's report: cancelled in the queue, or too late to start. */
void dispatch_end_unrun(struct dispatch *d, struct task *t, enum task_state state, enum wire_code code, const char *message)
{
        keep_report(t, &(struct attempt_report){.code = code, .message = message}, (struct bytes){0}, 0);
        if (t->place && !t->held)
                scheduler_hold(d->scheduler, t, clock_now());
        finish(d, t, state);
}

static uint64_t random_bits(void)
{
        uint64_t bits = 0;

        if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
                bits = (uint64_t)clock_now() * UINT64_C(0x9e3779b97f4a7c15);
        return bits;
}

/* The task's end has another name than its last attempt's; what that one said is not lost. */
static void rename_end(struct task *t, enum wire_code code)
{
        struct bytes said = {0};
        char text[512];

        wire_lookup_str(t->outcome->error, "message", &said);
        snprintf(text, sizeof(text), "%s%s%.*s", wire_codes[code].doc, said.len ? " The last attempt: " : "",
                (int)(said.len > 300 ? 300 : said.len), (const char *)said.data);
        t->outcome->code = code;
        free((void *)t->outcome->error.data);
        t->outcome->error = record_error(code, text);
}

static void retry_or_finish(struct dispatch *d, struct task *t)
{
        int64_t now = clock_now();
        struct retry_verdict v = retry_decide(t, t->outcome->code, now, &d->retry, random_bits());

        if (v.again) {
                t->quarantined = v.quarantine;
                scheduler_retry(d->scheduler, t, v.at, now);
                if (t->place)
                        d->ops->keep_release(d, t);
                return;
        }
        if (v.code != t->outcome->code)
                rename_end(t, v.code);
        finish(d, t, v.state);
}

void dispatch_attempt_ended(struct dispatch *d, struct worker_run *r, const struct attempt_report *report)
{
        struct task *t = r->run.task;
        int64_t now = clock_now();
        struct attempt_use use = {.run_ns = now - t->since, .cpu_ns = report->cpu_ns, .seat_spent = report->worker_lost};
        bool killed = report->worker_lost && !report->innocent && report->code != WIRE_OK &&
                report->code != WIRE_CANCELLED;

        task_attempt_end(t, report->code, killed, clock_wall_ms());
        t->attempts[t->n_attempts - 1].signal = report->signal;
        keep_report(t, report, r->worker->layers, use.run_ns);
        scheduler_ended(d->scheduler, &r->run, &use, now);
        if (t->outcome && t->outcome->code == WIRE_OK)
                finish(d, t, TASK_SUCCEEDED);
        else if (t->outcome)
                retry_or_finish(d, t);
        else
                finish(d, t, TASK_FAILED);
}

/* NULL: it does not run, or its worker is dead already. */
static struct worker_run *find_run(struct dispatch *d, const struct task *t)
{
        struct worker *w = t->state == TASK_RUNNING ? pool_find(d->pool, t->attempts[t->n_attempts - 1].worker) : NULL;

        return w ? worker_run_of(w, t) : NULL;
}

void dispatch_follow(struct dispatch *d, struct task *t)
{
        struct worker_run *r = find_run(d, t);

        if (r && r->number && r->worker->state == WORKER_SERVING)
                worker_follow(r);
}

/* A kept task that waits has an end only when that is on disk; and until it is there itself, none at all. */
static bool cancel_kept(struct dispatch *d, struct task *t, const char *why)
{
        if (t->held && !t->ending)
                t->cancel_asked = true;
        else if (!t->ending)
                dispatch_end_unrun(d, t, TASK_CANCELLED, WIRE_CANCELLED, why);
        return false;
}

bool dispatch_cancel(struct dispatch *d, struct task *t, const char *why)
{
        bool asked = t->cancel_asked;
        struct worker_run *r;

        if (t->place && (t->state == TASK_QUEUED || t->state == TASK_DELAYED))
                return cancel_kept(d, t, why);
        switch (scheduler_cancel(d->scheduler, t, clock_now())) {
        case CANCEL_DONE:
                keep_report(t, &(struct attempt_report){.code = WIRE_CANCELLED, .message = why}, (struct bytes){0}, 0);
                conclude(d, t);
                return true;
        case CANCEL_RUNNING:
                r = find_run(d, t);
                /* Once: who asks again must not give it more time. */
                if (r && !asked && r->number)
                        worker_cancel(r);
                return false;
        case CANCEL_ENDED:
                break;
        }
        return true;
}

int dispatch_revive(struct dispatch *d, struct task *t, struct wire_refusal *why, int64_t *retry_after_ms)
{
        bool was_kept = task_ended(t);
        int r;

        /* Its bytes are counted before its record is forgotten. */
        if (was_kept)
                registry_unkeep(d->registry, t);
        r = scheduler_revive(d->scheduler, t, clock_now(), why, retry_after_ms);
        if (r && was_kept)
                registry_keep(d->registry, t);
        if (!r && t->place)
                d->ops->keep_release(d, t);
        return r;
}

/* ---- decisions ---- */

/* The configuration's files are read when a worker is told of them: what cannot be had by then fails the task. */
static void fail_unrun(struct dispatch *d, struct task *t, int r)
{
        char text[160];

        if (r == -ENOMEM)
                return dispatch_end_unrun(
                        d, t, TASK_FAILED, WIRE_OUT_OF_MEMORY, "the supervisor has no memory for an attempt");
        snprintf(text, sizeof(text), "the project's caFile cannot be read by the supervisor: %s", error_text(r));
        dispatch_end_unrun(d, t, TASK_FAILED, WIRE_HTTP_FAILED, text);
}

static void send_run(struct worker_run *run)
{
        int r;

        run->followed = waiter_follows(run->run.task);
        r = worker_run(run);
        if (r < 0)
                worker_kill(run->worker, WIRE_WORKER_CRASHED, error_text(r));
}

/* The attempt that waits to be sent; NULL: its worker is gone, and took its attempt along. */
static struct worker_run *find_unsent(struct dispatch *d, struct task *t, uint64_t fence)
{
        struct worker_run *r = find_run(d, t);

        return r && !r->number && t->generation == fence && r->worker->state == WORKER_SERVING ? r : NULL;
}

void dispatch_attempt_kept(struct dispatch *d, struct task *t, uint64_t fence)
{
        struct worker_run *r = find_unsent(d, t, fence);

        if (!r)
                return;
        if (t->cancel_asked)
                return pool_attempt_over(r, &(struct attempt_report){.code = WIRE_CANCELLED,
                        .message = "cancelled before it was sent"});
        t->since = clock_now();
        send_run(r);
}

/* The attempt is taken out of the ledger and its task is the first in its place again. True: it was to be cancelled, and is. */
static bool unstart(struct dispatch *d, struct worker_run *r)
{
        struct task *t = r->run.task;
        bool cancelled = t->cancel_asked;

        worker_run_over(r);
        scheduler_unstarted(d->scheduler, &r->run, clock_now());
        t->n_attempts--;
        t->cancel_asked = false;
        if (cancelled)
                cancel_kept(d, t, "cancelled on request");
        return cancelled;
}

void dispatch_attempt_refused(struct dispatch *d, struct task *t, uint64_t fence, bool disowned)
{
        struct worker_run *r = find_unsent(d, t, fence);
        struct worker *w;

        if (!r)
                return;
        w = r->worker;
        if (!unstart(d, r) && disowned)
                dispatch_end_unrun(d, t, TASK_FAILED, WIRE_STORE_UNAVAILABLE, "another supervisor has claimed it");
        pool_run_returned(w);
}

void dispatch_attempt_unsent(struct dispatch *d, struct worker_run *r)
{
        unstart(d, r);
}

static void run_task(struct dispatch *d, struct task *t, struct seat *seat)
{
        struct worker *w = container_of(seat, struct worker, seat);
        struct worker_run *run = worker_free_run(w);
        int64_t now = clock_now();
        int r = d->ops->configure(d, w, t);

        if (!r)
                r = task_attempt_begin(t, w->id, w->pid, clock_wall_ms());
        if (r < 0)
                return fail_unrun(d, t, r);
        scheduler_started(d->scheduler, t, seat, &run->run, now);
        if (t->place)
                d->ops->keep_attempt(d, t);
        else
                send_run(run);
}

/* One end may let go of records of earlier ones: so first who is meant, then their ends. */
void dispatch_refuse_class(struct dispatch *d, enum task_class class, const char *reason)
{
        CLEANUP(buf_fini) struct buf meant;
        size_t n = 0;

        buf_init(&meant, 0);
        list_for_each(node, &d->registry->by_age) {
                struct task *t = list_entry(node, struct task, by_age);

                if (t->class == class && !t->place && (t->state == TASK_QUEUED || t->state == TASK_DELAYED) &&
                        !buf_append(&meant, &t, sizeof(t)))
                        n++;
        }
        for (size_t i = 0; i < n; i++)
                dispatch_end_unrun(d, ((struct task **)buf_bytes(&meant).data)[i], TASK_FAILED, WIRE_TYPE_DISABLED, reason);
}

static void replace_worker(struct worker *w)
{
        pool_retire(w, "another project needs its place");
}

/* Where workers of its class do not start, that is why. */
static void expire(struct dispatch *d, struct task *t)
{
        const struct breaker *b = &d->pool->breakers[t->class];
        char text[sizeof(b->reason) + 80];

        snprintf(text, sizeof(text), "no worker %s before the task's startDeadline%s%s", b->failures ? "started" : "was free",
                b->failures ? ": " : "", b->failures ? b->reason : "");
        dispatch_end_unrun(d, t, TASK_FAILED, WIRE_START_DEADLINE, text);
}

static void carry_out(struct dispatch *d, const struct decision *decision)
{
        switch (decision->kind) {
        case DECIDE_RUN:
                return run_task(d, decision->task, decision->seat);
        case DECIDE_REPLACE:
                return replace_worker(container_of(decision->seat, struct worker, seat));
        case DECIDE_EXPIRE:
                return expire(d, decision->task);
        }
}

void dispatch_run(struct dispatch *d)
{
        struct decision decision;

        while (scheduler_decide(d->scheduler, clock_now(), &decision))
                carry_out(d, &decision);
}

void dispatch_set_wake(struct dispatch *d)
{
        int64_t now = clock_now(), at = scheduler_next_wake(d->scheduler), expiry = registry_expire(d->registry, now);

        if (expiry < at)
                at = expiry;
        loop_alarm_set(d->loop, &d->wake, now, at);
}

void dispatch_init(struct dispatch *d, struct loop *loop, struct scheduler *scheduler, struct registry *registry,
        struct pool *pool, const struct dispatch_ops *ops)
{
        *d = (struct dispatch){.loop = loop, .scheduler = scheduler, .registry = registry, .pool = pool,
                .ops = ops};
        loop_alarm_init(&d->wake);
}

void dispatch_fini(struct dispatch *d)
{
        if (!d->loop)
                return;
        ev_timer_stop(d->loop->ev, &d->wake);
}
