/* The ops about tasks that are there: wait, result, cancel, follow, retry, list. */
#include "master/requests.h"

#include "master/record.h"
#include "master/session.h"
#include "master/supervisor.h"

#include <string.h>

enum { LIST_DEFAULT = 100 };

/* ---- wait, result, cancel, follow, retry ---- */

/* An id carries the time of its making, so that more can be said than that it is not known. */
static const char *const absences[] = {
        [REGISTRY_UNKNOWN] = "no task ever had this id",
        [REGISTRY_BEFORE_START] = "it is from before the supervisor's start, and was not kept across that",
        [REGISTRY_LET_GO] = "its result was let go, after its resultTtl or to stay within queue.maxKeptBytes",
};

int request_find_task(struct session *s, struct bytes text, struct task **out, struct wire_refusal *why)
{
        struct uuid id;

        if (!uuid_parse((const char *)text.data, text.len, &id))
                return wire_refuse(why, WIRE_INVALID_OPTION, "\"%.36s\" is no task id", (const char *)text.data);
        *out = registry_find(&s->supervisor->registry, &id);
        if (!*out && s->supervisor->durable.loading && registry_absence(&s->supervisor->registry, &id) == REGISTRY_BEFORE_START)
                peer_postpone(&s->peer);
        if (!*out)
                return wire_refuse(why, WIRE_NOT_FOUND, "task %.36s: %s", (const char *)text.data,
                        absences[registry_absence(&s->supervisor->registry, &id)]);
        return 0;
}

int request_wait(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct waiter call = {.seq = seq, .kind = WAITER_WAIT};
        struct task *t;
        int r = request_find_task(session_of(p), body->wait.id, &t, why);

        if (!r)
                r = request_room_to_wait(session_of(p), 0, false, why);
        return r ? r : request_no_memory(request_answer_at_end(session_of(p), t, &call), why);
}

int request_result(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct session *s = session_of(p);
        struct buf *scratch = &s->supervisor->scratch;
        struct wire_result_reply reply = {0};
        struct task *t;
        int r = request_find_task(s, body->result.id, &t, why);

        if (r)
                return r;
        buf_consume(scratch, buf_size(scratch));
        r = record_write(scratch, t);
        if (r < 0)
                return request_no_memory(r, why);
        WIRE_SET(&reply, result_reply, result, buf_bytes(scratch));
        session_reply(s, WIRE_MESSAGE(result_reply), seq, &reply);
        return 0;
}

int request_cancel(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct waiter call = {.seq = seq, .kind = WAITER_CANCEL};
        struct session *s = session_of(p);
        struct task *t;
        int r = request_find_task(s, body->cancel.id, &t, why);

        if (!r)
                r = request_room_to_wait(s, 0, true, why);
        if (r)
                return r;
        /* Waits first: a task that is over at once tells this caller with all the others. */
        r = request_answer_at_end(s, t, &call);
        if (r < 0)
                return request_no_memory(r, why);
        if (!task_ended(t))
                dispatch_cancel(&s->supervisor->dispatch, t, "cancelled on request");
        return 0;
}

int request_follow(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct waiter call = {.seq = seq, .kind = WAITER_FOLLOW, .follows = true};
        struct session *s = session_of(p);
        struct task *t;
        int r = request_find_task(s, body->follow.id, &t, why);

        if (!r)
                r = request_room_to_wait(s, 0, false, why);
        if (!r)
                r = request_no_memory(request_answer_at_end(s, t, &call), why);
        if (!r && !task_ended(t))
                dispatch_follow(&s->supervisor->dispatch, t);
        return r;
}

int request_retry(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct session *s = session_of(p);
        struct supervisor *sv = s->supervisor;
        struct waiter call = {.seq = seq, .kind = WAITER_REVIVED};
        struct wire_retry_reply reply = {0};
        struct task *t;
        int r = request_find_task(s, body->retry.id, &t, why);

        if (!r && t->type->withdrawn)
                return wire_refuse(why, WIRE_TYPE_DISABLED, "%s is no longer configured", t->type->name);
        if (!r && t->place)
                r = durable_check(&sv->durable, why);
        if (!r)
                r = request_no_memory(dispatch_revive(&sv->dispatch, t, why, &sv->retry_after_ms), why);
        if (r)
                return r;
        if (t->place)
                return request_no_memory(waiter_new(s, t, &call), why);
        WIRE_SET(&reply, retry_reply, id, body->retry.id);
        WIRE_SET(&reply, retry_reply, state, wire_str(task_state_name(t->state)));
        session_reply(s, WIRE_MESSAGE(retry_reply), seq, &reply);
        return 0;
}

/* ---- list ---- */

static bool matches(const struct task *t, const struct wire_list *filter)
{
        if (WIRE_HAS(filter, list, state) && strcmp(task_state_name(t->state),
                                                     task_state_name((enum task_state)(filter->state + TASK_QUEUED))))
                return false;
        return !WIRE_HAS(filter, list, project_id) ||
               (filter->project_id.len == t->project->name_len &&
                       !memcmp(filter->project_id.data, t->project->name, t->project->name_len));
}

/* The newest one, or the one before the task that ended the last page; that task may be gone by now, its id still says
 * when it was made. */
static struct list *list_start(struct registry *r, const struct wire_list *filter, struct wire_refusal *why)
{
        struct list *node = r->by_age.prev;
        struct uuid before;

        if (!WIRE_HAS(filter, list, before))
                return node;
        if (!uuid_parse((const char *)filter->before.data, filter->before.len, &before)) {
                wire_refuse(why, WIRE_INVALID_OPTION, "list.before is no task id");
                return NULL;
        }
        while (node != &r->by_age && memcmp(&list_entry(node, struct task, by_age)->id, &before, sizeof(before)) >= 0)
                node = node->prev;
        return node;
}

static bool write_page(struct pack *p, struct list *node, const struct list *end, const struct wire_list *filter)
{
        uint64_t limit = WIRE_HAS(filter, list, limit) ? filter->limit : LIST_DEFAULT;
        size_t mark = pack_array_open(p);
        uint32_t n = 0;

        for (; node != end && n < limit; node = node->prev) {
                struct task *t = list_entry(node, struct task, by_age);

                if (!matches(t, filter))
                        continue;
                record_write_line(p, t);
                n++;
        }
        pack_array_close(p, mark, n);
        for (; node != end; node = node->prev)
                if (matches(list_entry(node, struct task, by_age), filter))
                        return true;
        return false;
}

int request_list(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct session *s = session_of(p);
        struct supervisor *sv = s->supervisor;
        struct list *start = list_start(&sv->registry, &body->list, why);
        struct wire_list_reply reply = {0};
        struct pack pack;

        if (!start)
                return 1;
        buf_consume(&sv->scratch, buf_size(&sv->scratch));
        pack_init(&pack, &sv->scratch);
        WIRE_SET(&reply, list_reply, more, write_page(&pack, start, &sv->registry.by_age, &body->list));
        if (pack.error)
                return request_no_memory(pack.error, why);
        WIRE_SET(&reply, list_reply, tasks, buf_bytes(&sv->scratch));
        session_reply(s, WIRE_MESSAGE(list_reply), seq, &reply);
        return 0;
}
