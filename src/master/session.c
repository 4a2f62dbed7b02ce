/* Opening, closing and answering sessions. What each op does is in the requests_*.c files. */
#include "master/session.h"

#include "base/error.h"
#include "base/log.h"
#include "master/record.h"
#include "master/requests.h"
#include "master/supervisor.h"

#include <errno.h>
#include <stdlib.h>

enum { OUT_MAX = 256 * 1024 * 1024 };

/* ---- answers ---- */

/* Not closed here: a close cancels what the session owns, in the middle of telling others about the end of a task. */
void session_reply(struct session *s, const struct wire_message *m, uint64_t seq, const void *body)
{
        int r = peer_send(&s->peer, m, seq, body);

        if (r < 0)
                peer_give_up(&s->peer, r == -ENOBUFS ? "reads its replies too slowly" : "no memory for a reply");
}

static void answer_submit(struct session *s, const struct task *t, const struct waiter *call, struct bytes record)
{
        struct wire_submit_reply body = {0};
        char id[UUID_TEXT + 1];

        uuid_format(&t->id, id);
        WIRE_SET(&body, submit_reply, id, wire_str(id));
        if (call->duplicate)
                WIRE_SET(&body, submit_reply, duplicate, true);
        WIRE_SET(&body, submit_reply, result, record);
        session_reply(s, WIRE_MESSAGE(submit_reply), call->seq, &body);
}

static void answer_wait(struct session *s, const struct task *t, const struct waiter *call, struct bytes record)
{
        struct wire_wait_reply body = {0};

        (void)t;
        WIRE_SET(&body, wait_reply, result, record);
        session_reply(s, WIRE_MESSAGE(wait_reply), call->seq, &body);
}

static void answer_cancel(struct session *s, const struct task *t, const struct waiter *call, struct bytes record)
{
        struct wire_cancel_reply body = {0};

        (void)record;
        WIRE_SET(&body, cancel_reply, state, wire_str(task_state_name(t->state)));
        session_reply(s, WIRE_MESSAGE(cancel_reply), call->seq, &body);
}

static void answer_follow(struct session *s, const struct task *t, const struct waiter *call, struct bytes record)
{
        struct wire_follow_reply body = {0};

        (void)record;
        WIRE_SET(&body, follow_reply, state, wire_str(task_state_name(t->state)));
        session_reply(s, WIRE_MESSAGE(follow_reply), call->seq, &body);
}

static void answer_kept(struct session *s, const struct task *t, const struct waiter *call, struct bytes record)
{
        struct wire_submit_reply body = {0};
        char id[UUID_TEXT + 1];

        (void)record;
        uuid_format(&t->id, id);
        WIRE_SET(&body, submit_reply, id, wire_str(id));
        if (call->duplicate)
                WIRE_SET(&body, submit_reply, duplicate, true);
        session_reply(s, WIRE_MESSAGE(submit_reply), call->seq, &body);
}

static void answer_revived(struct session *s, const struct task *t, const struct waiter *call, struct bytes record)
{
        struct wire_retry_reply body = {0};
        char id[UUID_TEXT + 1];

        (void)record;
        uuid_format(&t->id, id);
        WIRE_SET(&body, retry_reply, id, wire_str(id));
        WIRE_SET(&body, retry_reply, state, wire_str(task_state_name(t->state)));
        session_reply(s, WIRE_MESSAGE(retry_reply), call->seq, &body);
}

static void (*const answers[])(struct session *, const struct task *, const struct waiter *, struct bytes record) = {
        [WAITER_SUBMIT] = answer_submit,
        [WAITER_WAIT] = answer_wait,
        [WAITER_CANCEL] = answer_cancel,
        [WAITER_FOLLOW] = answer_follow,
        [WAITER_KEPT] = answer_kept,
        [WAITER_REVIVED] = answer_revived,
};

static struct bytes write_record(struct supervisor *s, const struct task *t)
{
        buf_consume(&s->scratch, buf_size(&s->scratch));
        if (record_write(&s->scratch, t) < 0)
                return (struct bytes){0};
        return buf_bytes(&s->scratch);
}

void session_answer_now(struct session *s, struct task *t, const struct waiter *call)
{
        bool shows = call->kind == WAITER_SUBMIT || call->kind == WAITER_WAIT;
        struct bytes record = shows ? write_record(s->supervisor, t) : (struct bytes){0};

        if (shows && !record.len)
                return peer_give_up(&s->peer, "no memory for a record");
        answers[call->kind](s, t, call, record);
}

void session_task_ended(struct task *t)
{
        struct list *node;

        while ((node = list_first(&t->waiters))) {
                struct waiter call = *list_entry(node, struct waiter, by_task);

                waiter_free(list_entry(node, struct waiter, by_task));
                session_answer_now(call.session, t, &call);
        }
}

static bool waits_for_store(const struct waiter *w)
{
        return w->kind == WAITER_KEPT || w->kind == WAITER_REVIVED;
}

void session_task_kept(struct task *t)
{
        list_for_each_safe(node, &t->waiters) {
                struct waiter call = *list_entry(node, struct waiter, by_task);

                if (!waits_for_store(&call))
                        continue;
                waiter_free(list_entry(node, struct waiter, by_task));
                answers[call.kind](call.session, t, &call, (struct bytes){0});
        }
}

void session_task_refused(struct task *t, bool whole, const struct wire_refusal *why)
{
        list_for_each_safe(node, &t->waiters) {
                struct waiter call = *list_entry(node, struct waiter, by_task);

                if (!whole && !waits_for_store(&call))
                        continue;
                waiter_free(list_entry(node, struct waiter, by_task));
                session_refuse(call.session, call.seq, why);
        }
}

void session_refuse(struct session *s, uint64_t seq, const struct wire_refusal *why)
{
        if (peer_refuse(&s->peer, seq, why, -1) < 0)
                peer_give_up(&s->peer, "reads its replies too slowly");
}

void session_task_output(struct task *t, const struct wire_worker_output *output)
{
        struct wire_output event = {0};
        char id[UUID_TEXT + 1];

        uuid_format(&t->id, id);
        WIRE_SET(&event, output, id, wire_str(id));
        WIRE_SET(&event, output, attempt, t->n_attempts);
        WIRE_SET(&event, output, stream, output->stream);
        list_for_each(node, &t->waiters) {
                struct waiter *w = list_entry(node, struct waiter, by_task);

                if (!w->follows)
                        continue;
                WIRE_SET(&event, output, data,
                        waiter_unseen(w, t->n_attempts, (unsigned int)output->stream, output->at, output->data));
                if (event.data.len)
                        session_reply(w->session, WIRE_MESSAGE(output), 0, &event);
        }
}

/* ---- opening and closing ---- */

static void bury(struct grave *g)
{
        struct session *s = container_of(g, struct session, grave);

        peer_fini(&s->peer);
        free(s);
}

/* A waited call lives and dies with its caller, unless it said durable. */
static void drop_waiters(struct session *s)
{
        struct list *node;

        while ((node = list_first(&s->waiters))) {
                struct waiter w = *list_entry(node, struct waiter, by_session);

                waiter_free(list_entry(node, struct waiter, by_session));
                if (w.owns)
                        dispatch_cancel(&s->supervisor->dispatch, w.task, "its caller went away");
        }
}

void session_close(struct session *s, const char *reason)
{
        if (s->peer.closed)
                return;
        log_debug("session-closed", "session %llu client %s pid %d: %s", (unsigned long long)s->id, s->client, s->who.pid,
                reason);
        peer_close(&s->peer);
        list_unlink(&s->node);
        list_unlink(&s->drain_node);
        s->supervisor->n_sessions--;
        drop_waiters(s);
        loop_bury(s->peer.loop, &s->grave);
}

void session_shut_down(struct session *s)
{
        struct wire_refusal why;

        wire_refuse(&why, WIRE_SHUTTING_DOWN, "the supervisor ended before the task did");
        list_for_each(node, &s->waiters)
                if (peer_refuse(&s->peer, list_entry(node, struct waiter, by_session)->seq, &why, -1) < 0)
                        break;
        if (!list_empty(&s->drain_node))
                peer_refuse(&s->peer, s->drain_seq, &why, -1);
        /* What the socket takes at once goes out; nobody waits for a slow reader now. */
        channel_flush(&s->peer.channel);
        session_close(s, "the supervisor ends");
}

static void on_refused(struct peer *p, uint64_t seq, const struct wire_refusal *why, bool fatal)
{
        struct session *s = session_of(p);
        int64_t retry_after = s->supervisor->retry_after_ms;

        s->supervisor->retry_after_ms = -1;
        if (peer_refuse(p, seq, why, retry_after) < 0)
                return session_close(s, "reads its replies too slowly");
        if (!fatal)
                return;
        /* The refusal goes out if the socket takes it now; a peer that broke the protocol is not waited for. */
        channel_flush(&p->channel);
        session_close(s, why->message);
}

static void on_closed(struct peer *p, const char *reason)
{
        session_close(session_of(p), reason);
}

static const struct peer_ops peer_ops = {
        .name = "client",
        .from = WIRE_CLIENT,
        .handlers = request_handlers,
        .on_refused = on_refused,
        .on_closed = on_closed,
};

int session_open(struct supervisor *s, int fd, const struct ucred *who)
{
        struct session *session = calloc(1, sizeof(*session));

        if (!session) {
                close(fd);
                return error_origin(-ENOMEM);
        }
        session->supervisor = s;
        session->who = *who;
        session->id = ++s->last_session;
        session->grave.bury = bury;
        list_init(&session->waiters);
        list_init(&session->drain_node);
        list_push_back(&s->sessions, &session->node);
        s->n_sessions++;
        peer_init(&session->peer, &s->loop, fd, &peer_ops, CHANNEL_FRAME_MAX, OUT_MAX);
        return 0;
}
