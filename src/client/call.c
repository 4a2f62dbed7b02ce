/*
 * Calls and their replies: queued, sent, matched by seq, and what a loss does to them. Nothing here waits.
 */
#include "client/client.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/list.h"
#include "wire/cursor.h"
#include "wire/json.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* Sequence numbers are our own and dense: they spread over the buckets as they are. */
static struct call *find_call(const struct poppo *p, uint64_t seq)
{
        for (struct map_node *n = map_first(&p->calls, seq); n; n = map_next(n)) {
                struct call *call = container_of(n, struct call, node);

                if (call->seq == seq)
                        return call;
        }
        return NULL;
}

static void forget_call(struct poppo *p, struct call *call)
{
        map_remove(&p->calls, &call->node);
        free(call);
}

void client_forget(struct poppo *p, uint64_t seq)
{
        struct call *call = find_call(p, seq);

        if (call)
                forget_call(p, call);
}

/* Takes the call out first: its callback may send the next one. */
static void answer_call(struct poppo *p, struct call *call, struct poppo_reply *reply)
{
        struct call ended = *call;

        forget_call(p, call);
        p->in_callback = true;
        ended.on_reply(ended.data, reply);
        p->in_callback = false;
}

void client_lose(struct poppo *p)
{
        struct map_node *n;

        channel_fini(&p->ch);
        while ((n = map_iterate(&p->calls, NULL)))
                answer_call(p, container_of(n, struct call, node), p->lost);
}

/* ---- sending ---- */

static int queue_frame(struct poppo *p, const char *op, uint64_t seq, struct bytes args)
{
        size_t before = buf_size(&p->ch.out), size;
        int r = wire_encode_op(&p->ch.out, op, seq, args);

        if (r == -EINVAL)
                return client_fail(p, r,
                        "the arguments of %s must be one map without op, event, seq and ok, "
                        "nested no deeper than %d",
                        op, WIRE_DEPTH_MAX);
        if (r == -ENOBUFS && before)
                return client_fail(
                        p, r, "%zu bytes of calls wait already: the supervisor must read some first", before);
        /* Nothing waits: to try again would never help. */
        if (r == -ENOBUFS)
                return client_fail(p, -EMSGSIZE, "the call has more than the buffer's %zu bytes", p->out_limit);
        if (r < 0)
                return client_fail(p, r, "%s", error_text(r));
        size = buf_size(&p->ch.out) - before - 4;
        if (size <= p->max_send)
                return 0;
        p->ch.out.len = p->ch.out.head + before;
        return client_fail(p, -EMSGSIZE, "the call has %zu bytes, the supervisor takes no more than %zu",
                size, p->max_send);
}

static void on_reply_dropped(void *data, struct poppo_reply *reply)
{
        (void)data;
        (void)reply;
}

static struct call *add_call(struct poppo *p)
{
        struct call *call = malloc(sizeof(*call));

        if (!call)
                return NULL;
        call->seq = p->last_seq + 1;
        if (map_insert(&p->calls, &call->node, call->seq) < 0) {
                free(call);
                return NULL;
        }
        return call;
}

int client_send(struct poppo *p, const char *op, struct bytes args,
        void (*on_reply)(void *data, struct poppo_reply *reply), void *data)
{
        struct call *call;
        int r;

        if (p->ch.fd < 0)
                return client_fail(p, -ENOTCONN, "not connected to a supervisor");
        if (p->calls.n_nodes >= POPPO_PENDING_MAX)
                return client_fail(p, -ENOBUFS, "%d calls wait for their reply already", POPPO_PENDING_MAX);
        call = add_call(p);
        if (!call)
                return client_fail(p, -ENOMEM, "%s", error_text(-ENOMEM));
        r = queue_frame(p, op, call->seq, args);
        if (r < 0) {
                forget_call(p, call);
                return r;
        }
        call->on_reply = on_reply ? on_reply : on_reply_dropped;
        call->data = data;
        p->last_seq = call->seq;
        return 0;
}

int poppo_send_msgpack(struct poppo *p, const char *op, const void *args, size_t len,
        void (*on_reply)(void *data, struct poppo_reply *reply), void *data)
{
        client_clear(p);
        return client_send(p, op, (struct bytes){args, len}, on_reply, data);
}

int client_add_json(struct poppo *p, struct buf *out, const char *what, const char *text)
{
        char why[JSON_WHY_MAX];
        int r = json_to_msgpack(wire_str(text), WIRE_DEPTH_MAX, out, why);

        if (r == -ENOBUFS)
                return client_fail(p, -EMSGSIZE, "%s: more than %zu bytes as MessagePack", what, out->limit);
        return r < 0 ? client_fail(p, r == -E2BIG ? -EINVAL : r, "%s: %s", what, why) : 0;
}

int client_encode_args(struct poppo *p, const char *args, struct buf *out)
{
        buf_init(out, CHANNEL_FRAME_MAX);
        return client_add_json(p, out, "the arguments", args ? args : "{}");
}

int poppo_pack(struct poppo *p, const char *json, const struct poppo_raw *bytes, size_t n, void **out, size_t *len)
{
        CLEANUP(cleanup_free) struct json_bytes *places = calloc(n + 1, sizeof(*places));
        CLEANUP(buf_fini) struct buf packed;
        char why[JSON_WHY_MAX];
        int r;

        client_clear(p);
        *out = NULL;
        *len = 0;
        buf_init(&packed, CHANNEL_FRAME_MAX);
        if (!places)
                return client_fail(p, -ENOMEM, "no memory");
        for (size_t i = 0; i < n; i++)
                places[i] = (struct json_bytes){bytes[i].pointer, {bytes[i].data, bytes[i].len}};
        r = json_to_msgpack_with(wire_str(json), WIRE_DEPTH_MAX, places, n, &packed, why);
        if (r == -ENOBUFS)
                return client_fail(p, -EMSGSIZE, "more than %d bytes as MessagePack", CHANNEL_FRAME_MAX);
        if (r < 0)
                return client_fail(p, r == -E2BIG ? -EINVAL : r, "%s", why);
        *len = buf_size(&packed);
        *out = TAKE_PTR(packed.data);
        return 0;
}

int poppo_send(struct poppo *p, const char *op, const char *args,
        void (*on_reply)(void *data, struct poppo_reply *reply), void *data)
{
        CLEANUP(buf_fini) struct buf packed;
        int r;

        client_clear(p);
        r = client_encode_args(p, args, &packed);
        return r < 0 ? r : client_send(p, op, buf_bytes(&packed), on_reply, data);
}

/* ---- receiving ---- */

static int deliver(struct poppo *p, struct call *call, struct bytes frame, const struct wire_head *head)
{
        struct poppo_reply *reply;

        /* Most pipelined submits ask for no callback: nothing is copied for those. */
        if (call->on_reply == on_reply_dropped) {
                forget_call(p, call);
                return 0;
        }
        reply = reply_new(frame, head->ok ? 0 : POPPO_REFUSED);
        if (!reply)
                return client_fail(p, -ENOMEM, "no memory for a reply");
        answer_call(p, call, reply);
        poppo_reply_free(reply);
        return 0;
}

void poppo_on_event(struct poppo *p, void (*on_event)(void *data, struct poppo_reply *event), void *data)
{
        p->on_event = on_event;
        p->event_data = data;
}

static int deliver_event(struct poppo *p, struct bytes frame)
{
        struct poppo_reply *event;

        if (!p->on_event)
                return 0;
        event = reply_new(frame, 0);
        if (!event)
                return client_fail(p, -ENOMEM, "no memory for an event");
        p->in_callback = true;
        p->on_event(p->event_data, event);
        p->in_callback = false;
        poppo_reply_free(event);
        return 0;
}

/* Replies to calls that were given up are passed over, and so are events that nobody asked to see. */
static int dispatch(struct poppo *p, struct bytes frame)
{
        struct wire_refusal why;
        struct wire_head head;
        struct call *call;

        if (wire_open(frame, &head, &why))
                return client_fail(p, -EPROTO, "the supervisor sent what is no message: %s", why.message);
        if (head.event.len)
                return deliver_event(p, frame);
        if (!head.is_reply || !head.has_seq)
                return client_fail(p, -EPROTO, "the supervisor sent what is no reply");
        call = find_call(p, head.seq);
        return call ? deliver(p, call, frame, &head) : 0;
}

static int dispatch_all(struct poppo *p)
{
        struct bytes frame;
        int r;

        while (!(r = channel_next(&p->ch, &frame))) {
                r = dispatch(p, frame);
                if (r < 0)
                        return r;
        }
        if (r == CHANNEL_TOO_LARGE)
                return client_fail(
                        p, -EPROTO, "the supervisor announced a message over %d bytes", CLIENT_FRAME_MAX);
        return 0;
}

static int lost(struct poppo *p)
{
        client_lose(p);
        client_fail(p, -ECONNRESET, "%s", poppo_reply_message(p->lost));
        snprintf(p->code, sizeof(p->code), "%s", CLIENT_LOST);
        return -ECONNRESET;
}

static int fail_socket(struct poppo *p, int r)
{
        return client_fail(p, r, "the connection cannot be used any more: %s", error_text(r));
}

/* A full socket or a closed one is for the caller to see, and no failure yet. */
static int flush(struct poppo *p)
{
        int r = channel_flush(&p->ch);

        return r < 0 ? fail_socket(p, r) : r;
}

/* A peer that stopped reading may still have said why: what it sent is read before the loss is told. */
static int receive(struct poppo *p)
{
        int r = channel_fill(&p->ch);

        if (r == CHANNEL_AGAIN)
                return 0;
        if (r == CHANNEL_CLOSED)
                return lost(p);
        return r < 0 ? fail_socket(p, r) : dispatch_all(p);
}

/* What is wrong with the stream or the socket stays wrong: the connection ends. The callbacks of that must not talk over the
 * sentence that says why. */
static int break_off(struct poppo *p, int r)
{
        char why[sizeof(p->message)];

        strcpy(why, p->message);
        client_lose(p);
        return client_fail(p, r, "%s", why);
}

int poppo_process(struct poppo *p)
{
        int r;

        if (p->in_callback)
                return client_fail(p, -EDEADLK, "a callback must not wait for replies");
        client_clear(p);
        if (p->ch.fd < 0)
                return client_fail(p, -ENOTCONN, "not connected to a supervisor");
        r = flush(p);
        if (r >= 0)
                r = receive(p);
        if (!r && channel_wants_write(&p->ch))
                r = flush(p);
        if (r >= 0)
                return 0;
        return p->ch.fd < 0 ? r : break_off(p, r);
}

int poppo_fd(const struct poppo *p)
{
        return p->ch.fd;
}

short poppo_events(const struct poppo *p)
{
        if (p->ch.fd < 0)
                return 0;
        return channel_wants_write(&p->ch) ? POLLIN | POLLOUT : POLLIN;
}

size_t poppo_pending(const struct poppo *p)
{
        return p->calls.n_nodes;
}
