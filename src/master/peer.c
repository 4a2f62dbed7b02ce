/* Reads, checks, decodes, calls; and writes what was queued. */
#include "master/peer.h"

#include "base/error.h"
#include "wire/cursor.h"

enum { HIGH_WATER = 1024 * 1024, LOW_WATER = 64 * 1024, DRAIN_READS = 64 };

static void refuse(struct peer *p, uint64_t seq, const struct wire_refusal *why, bool fatal)
{
        p->ops->on_refused(p, seq, why, fatal);
}

static int decode_and_call(struct peer *p, const struct wire_message *m, struct bytes frame, uint64_t seq,
        struct wire_refusal *why)
{
        union wire_body body;
        int r = wire_decode(m, frame, &body, why);

        return r ? r : p->ops->handlers[wire_message_id(m)].call(p, seq, &body, why);
}

static int handle_request(struct peer *p, const struct wire_head *head, struct bytes frame, struct wire_refusal *why)
{
        const struct wire_message *m = wire_message_find(WIRE_CALL, p->ops->from, head->op);

        if (!m)
                m = wire_message_find(WIRE_NOTE, p->ops->from, head->op);
        if (!m || !p->ops->handlers[wire_message_id(m)].call)
                return wire_refuse(why, WIRE_BAD_FRAME, "unknown op \"%.*s\"", (int)(head->op.len > 64 ? 64 : head->op.len),
                        (const char *)head->op.data);
        if (m->kind == WIRE_CALL && !head->has_seq)
                return wire_refuse(why, WIRE_BAD_FRAME, "%s needs a seq", m->name);
        if (!(m->when & p->state))
                return wire_refuse(why, WIRE_BAD_FRAME,
                        p->state == WIRE_GREETING ? "%s before hello" : "%s is not allowed now", m->name);
        return decode_and_call(p, m, frame, head->seq, why);
}

static int handle_failure(struct peer *p, uint64_t seq, struct bytes frame, struct wire_refusal *why)
{
        struct wire_failure failure;
        struct bytes error;
        int r;

        if (!wire_lookup(frame, "error", &error))
                return wire_refuse(why, WIRE_BAD_FRAME, "a reply that is not ok must have an error");
        r = wire_decode(WIRE_MESSAGE(failure), error, &failure, why);
        return r ? r : p->ops->on_failure(p, seq, &failure, why);
}

static int handle_reply(struct peer *p, const struct wire_head *head, struct bytes frame, struct wire_refusal *why)
{
        const struct wire_message *m = p->ops->reply_to ? p->ops->reply_to(head->seq) : p->ops->reply;

        if (!m || !head->has_seq || !(m->when & p->state))
                return wire_refuse(why, WIRE_BAD_FRAME, "a reply to nothing");
        return head->ok ? decode_and_call(p, m, frame, head->seq, why) : handle_failure(p, head->seq, frame, why);
}

static void handle_frame(struct peer *p, struct bytes frame)
{
        struct wire_head head;
        struct wire_refusal why = {0};

        if (wire_open_within(frame, p->ops->depth_max ? p->ops->depth_max : WIRE_DEPTH_MAX, &head, &why))
                return refuse(p, head.has_seq ? head.seq : 0, &why, true);
        if (head.event.len) {
                wire_refuse(&why, WIRE_BAD_FRAME, "events only come from the supervisor");
                return refuse(p, 0, &why, true);
        }
        if (head.is_reply ? handle_reply(p, &head, frame, &why) : handle_request(p, &head, frame, &why))
                if (!p->closed && !p->postponed)
                        refuse(p, head.seq, &why, false);
}

static void handle_frames(struct peer *p)
{
        struct bytes frame;
        int r = 0;

        while (!p->closed && !p->held && !p->postponed && !(r = channel_next(&p->channel, &frame))) {
                handle_frame(p, frame);
                if (p->postponed)
                        channel_put_back(&p->channel, frame);
        }
        if (!p->closed && r == CHANNEL_TOO_LARGE) {
                struct wire_refusal why;

                wire_refuse(&why, WIRE_TOO_LARGE, "a frame may have at most %zu bytes", p->channel.max_frame);
                refuse(p, 0, &why, true);
        }
}

static void on_readable(struct ev_loop *ev, struct ev_io *w, int events)
{
        struct peer *p = w->data;
        int r = channel_fill(&p->channel);

        (void)ev;
        (void)events;
        /* Frames that were read while the peer was held are still in the buffer when the socket has nothing new. */
        if (!r || r == CHANNEL_AGAIN)
                handle_frames(p);
        else if (r == CHANNEL_CLOSED)
                p->ops->on_closed(p, "closed by the peer");
        else if (r < 0)
                p->ops->on_closed(p, error_text(r));
}

/* Back-pressure: whoever does not read its answers is not read from either. */
static void hold(struct peer *p)
{
        if (p->held || p->ops->always_heard || peer_backlog(p) < HIGH_WATER)
                return;
        p->held = true;
        ev_io_stop(p->loop->ev, &p->reader);
}

/* Frames that were already read must not wait for more bytes to come, nor their answers for the next event. */
static void listen_again(struct peer *p)
{
        ev_io_start(p->loop->ev, &p->reader);
        ev_feed_event(p->loop->ev, &p->reader, EV_READ);
        loop_come_round(p->loop);
}

static void resume(struct peer *p)
{
        if (!p->held || peer_backlog(p) > LOW_WATER)
                return;
        p->held = false;
        if (!p->postponed)
                listen_again(p);
}

void peer_postpone(struct peer *p)
{
        p->postponed = true;
        ev_io_stop(p->loop->ev, &p->reader);
}

void peer_go_on(struct peer *p)
{
        if (p->closed || !p->postponed)
                return;
        p->postponed = false;
        if (!p->held && !p->given_up)
                listen_again(p);
}

/* What the owner makes of it may want the tick, which is over when this comes from a flush. */
static void tell_closed(struct peer *p, const char *reason)
{
        loop_come_round(p->loop);
        p->ops->on_closed(p, reason);
}

static void flush(struct peer *p)
{
        int r;

        if (p->closed)
                return;
        if (p->given_up)
                return tell_closed(p, p->given_up);
        r = channel_flush(&p->channel);
        resume(p);
        if (r == CHANNEL_AGAIN)
                ev_io_start(p->loop->ev, &p->writer);
        else
                ev_io_stop(p->loop->ev, &p->writer);
        if (r == CHANNEL_CLOSED || r < 0)
                tell_closed(p, r < 0 ? error_text(r) : "closed by the peer");
}

/* What goes wrong goes wrong again at the end of the tick, and is told there. */
void peer_flush_early(struct peer *p)
{
        if (!p->closed && !p->given_up && !ev_is_active(&p->writer) && channel_flush(&p->channel) == CHANNEL_AGAIN)
                ev_io_start(p->loop->ev, &p->writer);
}

static void on_writable(struct ev_loop *ev, struct ev_io *w, int events)
{
        (void)ev;
        (void)events;
        flush(w->data);
}

static void on_flush(struct flushable *f)
{
        flush(container_of(f, struct peer, flushable));
}

void peer_init(struct peer *p, struct loop *loop, int fd, const struct peer_ops *ops, size_t max_frame, size_t out_limit)
{
        *p = (struct peer){.loop = loop, .ops = ops, .state = WIRE_GREETING, .flushable.flush = on_flush};
        channel_init(&p->channel, fd, max_frame, out_limit);
        list_init(&p->flushable.node);
        ev_io_init(&p->reader, on_readable, fd, EV_READ);
        ev_io_init(&p->writer, on_writable, fd, EV_WRITE);
        p->reader.data = p->writer.data = p;
        ev_io_start(loop->ev, &p->reader);
}

void peer_close(struct peer *p)
{
        if (p->closed)
                return;
        p->closed = true;
        list_unlink(&p->flushable.node);
        ev_io_stop(p->loop->ev, &p->reader);
        ev_io_stop(p->loop->ev, &p->writer);
        /* The buffers stay until the owner frees the peer: a handler further up may still look at its frame. */
        close(p->channel.fd);
        p->channel.fd = -1;
}

/* Bounded: one that writes as fast as we read must not keep us here. A socket's buffer holds far less than this. */
void peer_drain(struct peer *p)
{
        handle_frames(p);
        for (int i = 0; i < DRAIN_READS && !p->closed && !p->held && !p->postponed && !channel_fill(&p->channel); i++)
                handle_frames(p);
}

void peer_give_up(struct peer *p, const char *reason)
{
        if (p->closed || p->given_up)
                return;
        p->given_up = reason;
        p->held = true;
        ev_io_stop(p->loop->ev, &p->reader);
        loop_mark_dirty(p->loop, &p->flushable);
}

void peer_fini(struct peer *p)
{
        peer_close(p);
        channel_fini(&p->channel);
}

static int queued(struct peer *p, int r)
{
        loop_mark_dirty(p->loop, &p->flushable);
        hold(p);
        return r;
}

int peer_send(struct peer *p, const struct wire_message *m, uint64_t seq, const void *body)
{
        return p->closed || p->given_up ? 0 : queued(p, channel_send(&p->channel, m, seq, body));
}

int peer_refuse(struct peer *p, uint64_t seq, const struct wire_refusal *why, int64_t retry_after_ms)
{
        return p->closed || p->given_up ? 0 : queued(p, wire_encode_refusal(&p->channel.out, seq, why, retry_after_ms));
}
