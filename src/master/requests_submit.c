/* submit: from a client's options to a task in the queue. */
#include "master/requests.h"

#include "base/clock.h"
#include "base/error.h"
#include "master/session.h"
#include "master/supervisor.h"
#include "master/task_types.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct submission {
        struct supervisor *supervisor;
        const struct wire_task_options *options;
        const struct task_type *type;
        struct bytes project;
        struct wire_refusal *why;
};

static int check_type(const struct submission *s)
{
        const struct config *c = &s->supervisor->config;
        const struct breaker *breaker = &s->supervisor->pool.breakers[s->type->class];
        const char *type = s->type->name;
        const struct config_project *p =
                config_project_find(c, (const char *)s->project.data, s->project.len);

        if (!config_task_type_find(c, type, strlen(type))->enabled)
                return wire_refuse(s->why, WIRE_TYPE_DISABLED, "%s is disabled by the configuration", type);
        if (breaker->barred)
                return wire_refuse(s->why, WIRE_TYPE_DISABLED, "%s is not run: %s", type, breaker->reason);
        for (size_t i = 0; i < p->task_types.n; i++)
                if (!strcmp(p->task_types.items[i], type))
                        return 0;
        if (p->task_types.n)
                return wire_refuse(s->why, WIRE_TYPE_DISABLED, "project %.*s may not use %s", (int)s->project.len,
                        (const char *)s->project.data, type);
        return 0;
}

static enum isolation type_isolation(const struct submission *s)
{
        const char *type = s->type->name;
        int isolation = config_task_type_find(&s->supervisor->config, type, strlen(type))->isolation;
        enum isolation least = class_traits[s->type->kind].least;

        return isolation == CONFIG_ABSENT ? least : isolation_max((enum isolation)isolation, least);
}

static int64_t ns_of_ms(uint64_t ms)
{
        return (int64_t)ms * NS_PER_MS;
}

#define OPTION(o, member, otherwise) (WIRE_HAS(o, task_options, member) ? (o)->member : (__typeof__((o)->member))(otherwise))

/* The wall clock is asked once, here; from now on the task lives on the monotonic one, which ends in three centuries. */
static int64_t earliest_start(const struct wire_task_options *o, int64_t now)
{
        int64_t at = 0, wait = (int64_t)o->run_at - clock_wall_ms();

        if (WIRE_HAS(o, task_options, delay) && o->delay)
                at = now + ns_of_ms(o->delay);
        if (WIRE_HAS(o, task_options, run_at) && wait > 0) {
                int64_t run_at = wait < (INT64_MAX - now) / NS_PER_MS ? now + wait * NS_PER_MS : INT64_MAX - 1;

                at = run_at > at ? run_at : at;
        }
        return at;
}

static void set_options(struct task *t, const struct wire_task_options *o, const struct config *c)
{
        const struct config_defaults *d = &c->defaults;
        uint64_t ttl = (uint64_t)c->queue.result_ttl;
        int64_t now = clock_now();

        t->created_wall = clock_wall_ms();
        t->priority = (uint8_t)OPTION(o, priority, d->priority);
        t->timeout = ns_of_ms(OPTION(o, timeout, d->timeout));
        t->max_attempts = (uint16_t)OPTION(o, max_attempts, d->max_attempts);
        t->retry_delay = ns_of_ms(OPTION(o, retry_delay, d->retry_delay));
        t->not_before = earliest_start(o, now);
        t->start_deadline = OPTION(o, start_deadline, 0) ? now + ns_of_ms(o->start_deadline) : 0;
        t->durable = OPTION(o, durable, false);
        /* Nobody keeps a result for longer than the operator allows. */
        if (WIRE_HAS(o, task_options, result_ttl) && o->result_ttl && (!ttl || o->result_ttl < ttl))
                ttl = o->result_ttl;
        t->result_ttl = ns_of_ms(ttl);
}

static int set_extra(struct task *t, const struct wire_task_options *o)
{
        struct task_extra *e;

        if (!OPTION(o, key, (struct bytes){0}).len && !WIRE_HAS(o, task_options, meta) &&
                !WIRE_HAS(o, task_options, traceparent))
                return 0;
        e = task_extra(t);
        if (!e)
                return error_origin(-ENOMEM);
        e->key = bytes_dup(o->key);
        e->meta = bytes_dup(o->meta);
        e->traceparent = bytes_dup(o->traceparent);
        if (e->key.len != o->key.len || e->meta.len != o->meta.len || e->traceparent.len != o->traceparent.len)
                return error_origin(-ENOMEM);
        return 0;
}

static int make_task(const struct submission *s, struct bytes payload, struct task **out)
{
        struct bytes copy = bytes_dup(payload);
        struct project *project;
        struct task *t;
        int r;

        if (!copy.data)
                return error_origin(-ENOMEM);
        t = task_new(uuid_new(), copy);
        if (!t)
                return error_origin(-ENOMEM);
        t->type = s->type;
        t->class = (uint8_t)s->type->class;
        set_options(t, s->options, &s->supervisor->config);
        t->isolation = (uint8_t)isolation_max(OPTION(s->options, isolation, ISOLATION_HEAP), type_isolation(s));
        r = set_extra(t, s->options);
        if (!r)
                r = scheduler_project(&s->supervisor->scheduler, s->project, &project, s->why);
        if (r) {
                task_free(t);
                return r;
        }
        t->project = project;
        *out = t;
        return 0;
}

static int accept_task(const struct submission *s, struct task *t)
{
        struct supervisor *sv = s->supervisor;
        int r = scheduler_accept(&sv->scheduler, t, clock_now(), s->why, &sv->retry_after_ms);

        if (r) {
                task_free(t);
                return r;
        }
        r = registry_add(&sv->registry, t);
        if (r < 0) {
                scheduler_finish(&sv->scheduler, t, TASK_CANCELLED, clock_now());
                scheduler_release(&sv->scheduler, t);
                task_free(t);
        }
        return r;
}

/* What nobody waits for, or says so, is on disk before it is acknowledged. */
static bool is_to_be_kept(const struct submission *s, const struct wire_submit *body)
{
        return s->supervisor->durable.on && (!body->wait || OPTION(s->options, durable, false));
}

/* A task that is being written is not accepted yet. */
static bool is_accepted(const struct task *t)
{
        return !t->place || !t->held || t->ending;
}

static int answer_submit(struct session *session, uint64_t seq, struct task *t, const struct wire_submit *body, bool duplicate)
{
        struct waiter call = {.seq = seq, .kind = WAITER_SUBMIT, .duplicate = duplicate, .follows = body->follow,
                .bytes = duplicate ? 0 : t->payload.len, .owns = !duplicate && !t->durable};
        int r;

        if (!body->wait) {
                call.kind = WAITER_KEPT;
                call.bytes = call.owns = 0;
                return is_accepted(t) ? session_answer_now(session, t, &call), 0 : waiter_new(session, t, &call);
        }
        r = request_answer_at_end(session, t, &call);
        if (!r && body->follow && !task_ended(t))
                dispatch_follow(&session->supervisor->dispatch, t);
        return r;
}

/* No memory to have it written: as if it had never come. Its caller is refused by who called us. */
static void take_out(struct supervisor *sv, struct task *t)
{
        struct list *node;

        while ((node = list_first(&t->waiters)))
                waiter_free(list_entry(node, struct waiter, by_task));
        scheduler_finish(&sv->scheduler, t, TASK_CANCELLED, clock_now());
        registry_remove(&sv->registry, t);
        task_free(t);
}

static int submit_new(struct session *session, uint64_t seq, const struct submission *s, const struct wire_submit *body)
{
        struct durable *d = &s->supervisor->durable;
        struct task *t = NULL;
        bool kept = is_to_be_kept(s, body);
        int r = kept ? durable_check(d, s->why) : 0;

        /* Which places are free is known once the file is open. */
        if (!r && kept && !d->opened)
                return peer_postpone(&session->peer), 0;
        if (!r)
                r = make_task(s, body->task, &t);
        if (!r && kept)
                durable_mark(d, t);
        if (!r)
                r = accept_task(s, t);
        if (r)
                return r;
        r = answer_submit(session, seq, t, body, false);
        if (!r && t->place)
                r = durable_accept(d, t);
        if (r < 0 && t->place)
                take_out(s->supervisor, t);
        return r;
}

static int submit(struct session *session, uint64_t seq, const struct wire_submit *body, struct wire_refusal *why)
{
        struct supervisor *sv = session->supervisor;
        struct submission s = {.supervisor = sv, .options = &body->options, .why = why,
                .project = OPTION(&body->options, project_id, wire_str("default"))};
        struct task *t = NULL;
        int r;

        if (body->task.len > (uint64_t)sv->config.queue.max_task_bytes)
                return wire_refuse(why, WIRE_TOO_LARGE, "a task may have at most %lld bytes, not %zu",
                        (long long)sv->config.queue.max_task_bytes, body->task.len);
        r = task_type_of(&sv->types, body->task, &s.type, why);
        if (r)
                return r;
        r = check_type(&s);
        if (r)
                return r;
        if (OPTION(s.options, key, (struct bytes){0}).len) {
                t = registry_find_key(&sv->registry, s.project, s.options->key);
                if (!t && sv->durable.loading)
                        return peer_postpone(&session->peer), 0;
        }
        /* Who waits for an earlier task brings no bytes of its own, but one more waiter all the same. */
        r = request_room_to_wait(session, t || !body->wait ? 0 : body->task.len, false, why);
        if (t && !r)
                return answer_submit(session, seq, t, body, true);
        return r ? r : submit_new(session, seq, &s, body);
}

int request_submit(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        return request_no_memory(submit(session_of(p), seq, &body->submit, why), why);
}
