/* why: what a task waits for, or how it came to its end, as one word, as a sentence, and as its record. */
#include "master/requests.h"

#include "base/clock.h"
#include "master/record.h"
#include "master/session.h"
#include "master/supervisor.h"
#include "wire/cursor.h"

#include <inttypes.h>
#include <stdio.h>

/* As the words of why_reply.reason. */
enum reason { ENDED, RUNNING, DELAY, RETRY, DRAINING, PAUSED, LIMIT, RATE, TURN, WORKER, REASONS };

struct look {
        const struct supervisor *supervisor;
        const struct task *task;
        struct wait_verdict wait;
        int64_t now;
};

static enum reason reason_of(const struct look *l)
{
        static const enum reason of_wait[] = {[WAIT_STOPPING] = DRAINING, [WAIT_PAUSED] = PAUSED, [WAIT_LIMIT] = LIMIT,
                [WAIT_RATE] = RATE, [WAIT_TURN] = TURN, [WAIT_SEAT] = WORKER};

        if (task_ended(l->task))
                return ENDED;
        if (l->task->state == TASK_RUNNING)
                return RUNNING;
        if (l->wait.reason == WAIT_DELAY)
                return l->task->n_attempts ? RETRY : DELAY;
        return of_wait[l->wait.reason];
}

static int64_t remaining_ms(const struct look *l)
{
        int64_t left = l->wait.until - l->now;

        return left > 0 ? (left + NS_PER_MS - 1) / NS_PER_MS : 0;
}

/* ---- sentences ---- */

static struct bytes error_message(const struct task *t)
{
        struct bytes text = {0};

        if (t->outcome && t->outcome->error.len)
                wire_lookup_str(t->outcome->error, "message", &text);
        return text;
}

static int say_end(const struct look *l, char *out, size_t size)
{
        const struct task *t = l->task;
        struct bytes text = error_message(t);
        enum wire_code code = t->outcome ? t->outcome->code : WIRE_OK;

        if (t->state == TASK_SUCCEEDED)
                return snprintf(out, size, "succeeded at attempt %u, in %" PRId64 " ms", t->n_attempts,
                        t->outcome ? t->outcome->run_ns / NS_PER_MS : 0);
        return snprintf(out, size, "%s at attempt %u of %u: %s: %.*s", task_state_name(t->state), t->n_attempts,
                t->max_attempts > t->n_attempts ? t->max_attempts : t->n_attempts,
                code == WIRE_OK ? "no record of the reason" : wire_codes[code].name, (int)(text.len > 800 ? 800 : text.len),
                (const char *)text.data);
}

static int say_run(const struct look *l, char *out, size_t size)
{
        const struct task *t = l->task;
        const struct task_attempt *a = &t->attempts[t->n_attempts - 1];

        return snprintf(out, size, "attempt %u has run for %" PRId64 " ms on worker %" PRIu32 ", pid %" PRId32 "%s%s",
                t->n_attempts, (l->now - t->since) / NS_PER_MS, a->worker, a->pid,
                t->quarantined ? ", alone: its attempts killed workers" : "",
                t->cancel_asked ? "; it was asked to end" : "");
}

static int say_delay(const struct look *l, char *out, size_t size)
{
        return snprintf(out, size, "starts in %" PRId64 " ms at the earliest, as it was submitted", remaining_ms(l));
}

static int say_retry(const struct look *l, char *out, size_t size)
{
        const struct task *t = l->task;
        struct bytes text = error_message(t);

        return snprintf(out, size, "attempt %u comes in %" PRId64 " ms%s; the last one ended with %s: %.*s", t->n_attempts + 1u,
                remaining_ms(l), t->quarantined ? ", alone in a fresh process, since its attempts killed workers" : "",
                wire_codes[t->attempts[t->n_attempts - 1].outcome].name, (int)(text.len > 600 ? 600 : text.len),
                (const char *)text.data);
}

static int say_stopping(const struct look *l, char *out, size_t size)
{
        (void)l;
        return snprintf(out, size, "the supervisor ends and starts nothing more");
}

static int say_paused(const struct look *l, char *out, size_t size)
{
        const char *name = l->task->project->name;

        return snprintf(out, size, "project %s is paused; poppo project resume %s lets it go on", name, name);
}

static int say_limit(const struct look *l, char *out, size_t size)
{
        const struct project *p = l->task->project;

        return snprintf(out, size, "project %s runs %" PRIu64 " tasks and may run %" PRIu32 " at once; %" PRIu64
                " of its tasks of the same priority go first", p->name, p->running, p->settings.limit, l->wait.position);
}

static int say_rate(const struct look *l, char *out, size_t size)
{
        const struct project *p = l->task->project;

        return snprintf(out, size, "project %s may start %g tasks a second, the next one in %" PRId64 " ms; %" PRIu64
                " of its tasks of the same priority go first", p->name, p->settings.rate, remaining_ms(l), l->wait.position);
}

static int say_turn(const struct look *l, char *out, size_t size)
{
        return snprintf(out, size, "other tasks of project %s go first: %" PRIu64 " of the same priority, and higher ones",
                l->task->project->name, l->wait.position);
}

static int say_worker(const struct look *l, char *out, size_t size)
{
        const struct supervisor *s = l->supervisor;
        const struct class_pool *pool = &s->scheduler.pools[l->task->class];
        const struct breaker *breaker = &s->pool.breakers[l->task->class];
        const char *class = task_types_class_name(&s->types, (enum task_class)l->task->class);
        struct scheduler_load load = scheduler_load(&s->scheduler);

        if (pool->withdrawn)
                return snprintf(out, size, "%s is no longer configured; it waits until it is again", class);
        if (breaker->barred)
                return snprintf(out, size, "too little holds around workers of class %s: %s", class, breaker->reason);
        if (breaker->failures)
                return snprintf(out, size, "%u workers of class %s in a row did not start: %s", breaker->failures, class,
                        breaker->reason);
        if (pool->starting)
                return snprintf(out, size, "a worker of class %s is being started", class);
        if (pool->max_seats && pool->seats >= pool->max_seats)
                return snprintf(out, size, "all %" PRIu32 " workers that %s may have are taken", pool->max_seats, class);
        if (!pool->busy && list_empty(&pool->fresh) && list_empty(&pool->shared))
                return snprintf(out, size, "there is no worker of class %s for it yet; %" PRIu32 " of %" PRIu32
                        " workers are busy", class, load.busy, load.seats);
        return snprintf(out, size, "is the next one of project %s; %" PRIu32 " of %" PRIu32 " workers are busy",
                l->task->project->name, load.busy, load.seats);
}

static int (*const sentences[REASONS])(const struct look *, char *, size_t) = {
        [ENDED] = say_end, [RUNNING] = say_run, [DELAY] = say_delay, [RETRY] = say_retry, [DRAINING] = say_stopping,
        [PAUSED] = say_paused, [LIMIT] = say_limit, [RATE] = say_rate, [TURN] = say_turn, [WORKER] = say_worker,
};

/* ---- the op ---- */

static void fill(struct wire_why_reply *reply, const struct look *l, enum reason reason)
{
        const struct task *t = l->task;

        WIRE_SET(reply, why_reply, reason, reason);
        if (t->state == TASK_QUEUED)
                WIRE_SET(reply, why_reply, position, l->wait.position);
        if (l->wait.until)
                WIRE_SET(reply, why_reply, remaining, (uint64_t)remaining_ms(l));
        if (reason == ENDED && t->outcome && t->outcome->code != WIRE_OK)
                WIRE_SET(reply, why_reply, code, wire_str(wire_codes[t->outcome->code].name));
}

int request_why(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct session *s = session_of(p);
        struct buf *scratch = &s->supervisor->scratch;
        struct look look = {.supervisor = s->supervisor, .now = clock_now()};
        struct wire_why_reply reply = {0};
        char message[1024];
        enum reason reason;
        struct task *t;
        int r = request_find_task(s, body->why.id, &t, why);

        if (r)
                return r;
        look.task = t;
        look.wait = scheduler_explain(&s->supervisor->scheduler, t, look.now);
        reason = reason_of(&look);
        fill(&reply, &look, reason);
        sentences[reason](&look, message, sizeof(message));
        WIRE_SET(&reply, why_reply, message, wire_str(message));
        buf_consume(scratch, buf_size(scratch));
        r = record_write(scratch, t);
        if (r < 0)
                return request_no_memory(r, why);
        WIRE_SET(&reply, why_reply, result, buf_bytes(scratch));
        session_reply(s, WIRE_MESSAGE(why_reply), seq, &reply);
        return 0;
}
