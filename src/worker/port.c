/* Frames in and out for the classes that loop; see port.h. */
#include "worker/port.h"

#include "base/clock.h"
#include "wire/exits.h"
#include "worker/beat.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* A piece of output is small enough for the message and large enough to be worth a frame. Replies of many
 * runs may wait at once. */
enum { FRAME_HEADROOM = 512 * 1024, PIECE_BYTES = 64 * 1024, REPLIES_WAITING = 64 };

int port_open(struct port *p, int fd, const struct wire_spawn_setup *setup, const struct port_ops *ops)
{
        size_t reply_bytes = setup->max_result_bytes + setup->max_log_bytes + FRAME_HEADROOM;

        *p = (struct port){
                .ops = ops, .setup = *setup, .beat_interval = (int64_t)setup->heartbeat_ms * NS_PER_MS};
        channel_init(&p->channel, fd, CHANNEL_FRAME_MAX + FRAME_HEADROOM, REPLIES_WAITING * reply_bytes);
        buf_init(&p->logs, setup->max_log_bytes + FRAME_HEADROOM);
        p->next_beat = clock_now() + p->beat_interval;
        return 0;
}

void port_flush(struct port *p)
{
        int r;

        beat_hold();
        r = channel_flush(&p->channel);
        beat_release();
        if (r && r != CHANNEL_AGAIN)
                _exit(r == CHANNEL_CLOSED ? WORKER_EXIT_CLOSED : WORKER_EXIT_CHANNEL);
}

static void send_message(struct port *p, const struct wire_message *m, uint64_t seq, const void *body)
{
        if (channel_send(&p->channel, m, seq, body) < 0)
                _exit(WORKER_EXIT_MEMORY);
}

void port_beats_by_signal(struct port *p)
{
        p->next_beat = INT64_MAX;
}

void port_failed(struct port *p, const char *format, ...)
{
        struct wire_worker_failed failed = {0};
        char text[400];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        WIRE_SET(&failed, worker_failed, message, wire_str(text));
        send_message(p, WIRE_MESSAGE(worker_failed), 0, &failed);
        port_flush(p);
}

void port_ready(struct port *p, struct bytes layers)
{
        struct wire_worker_ready ready = {0};

        WIRE_SET(&ready, worker_ready, layers, layers);
        send_message(p, WIRE_MESSAGE(worker_ready), 0, &ready);
        port_flush(p);
}

void port_locked(struct port *p, struct bytes layers)
{
        struct wire_worker_locked locked = {0};

        WIRE_SET(&locked, worker_locked, layers, layers);
        send_message(p, WIRE_MESSAGE(worker_locked), 0, &locked);
}

/* ---- in ---- */

static void on_run(struct port *p, uint64_t seq, const union wire_body *body)
{
        p->ops->run(p, (uint32_t)seq, &body->worker_run);
}

static void on_cancel(struct port *p, uint64_t seq, const union wire_body *body)
{
        (void)seq;
        if (p->ops->cancel)
                p->ops->cancel(p, (uint32_t)body->worker_cancel.run);
}

static void on_follow(struct port *p, uint64_t seq, const union wire_body *body)
{
        (void)seq;
        if (p->ops->follow)
                p->ops->follow(p, (uint32_t)body->worker_follow.run);
}

static void on_configure(struct port *p, uint64_t seq, const union wire_body *body)
{
        (void)seq;
        if (p->ops->configure)
                p->ops->configure(p, body->worker_configure.settings);
}

static void (*const handlers[WIRE_IDS])(struct port *, uint64_t, const union wire_body *) = {
        [WIRE_ID_worker_run] = on_run,
        [WIRE_ID_worker_cancel] = on_cancel,
        [WIRE_ID_worker_follow] = on_follow,
        [WIRE_ID_worker_configure] = on_configure,
};

static void handle_frame(struct port *p, struct bytes frame)
{
        const struct wire_message *m = NULL;
        struct wire_refusal why;
        union wire_body body;
        struct wire_head head;

        if (!wire_open(frame, &head, &why)) {
                m = wire_message_find(WIRE_CALL, WIRE_MASTER, head.op);
                if (!m)
                        m = wire_message_find(WIRE_NOTE, WIRE_MASTER, head.op);
        }
        if (!m || !handlers[wire_message_id(m)] || wire_decode(m, frame, &body, &why))
                _exit(WORKER_EXIT_PROTOCOL);
        handlers[wire_message_id(m)](p, head.seq, &body);
}

static _Noreturn void end(struct port *p, int condition)
{
        if (condition == CHANNEL_CLOSED && p->ops->closed)
                p->ops->closed(p);
        _exit(condition == CHANNEL_CLOSED ? WORKER_EXIT_CLOSED : WORKER_EXIT_CHANNEL);
}

static void receive(struct port *p)
{
        struct bytes frame;
        int r = channel_fill(&p->channel);

        if (r && r != CHANNEL_AGAIN)
                end(p, r);
        while (!(r = channel_next(&p->channel, &frame)))
                handle_frame(p, frame);
        if (r != CHANNEL_AGAIN)
                _exit(WORKER_EXIT_PROTOCOL);
}

static void beat_if_due(struct port *p)
{
        struct wire_worker_beat beat = {0};
        int64_t now = clock_now();

        if (now < p->next_beat)
                return;
        p->next_beat = now + p->beat_interval;
        send_message(p, WIRE_MESSAGE(worker_beat), 0, &beat);
}

short port_events(const struct port *p)
{
        return channel_wants_write(&p->channel) ? POLLIN | POLLOUT : POLLIN;
}

int port_wait_ms(const struct port *p)
{
        int64_t left = p->next_beat - clock_now();

        if (left > INT_MAX * NS_PER_MS)
                return -1;
        return left <= 0 ? 0 : (int)((left + NS_PER_MS - 1) / NS_PER_MS);
}

void port_serve(struct port *p, short revents)
{
        if (revents & (POLLIN | POLLHUP | POLLERR))
                receive(p);
        beat_if_due(p);
        port_flush(p);
}

/* ---- out ---- */

void port_reply(struct port *p, uint32_t seq, const struct outcome *o, struct bytes timings)
{
        struct wire_worker_run_reply body;

        if (outcome_reply(o, &p->logs, &body) < 0)
                _exit(WORKER_EXIT_MEMORY);
        if (timings.len)
                WIRE_SET(&body, worker_run_reply, timings, timings);
        send_message(p, WIRE_MESSAGE(worker_run_reply), seq, &body);
        buf_consume(&p->logs, buf_size(&p->logs));
}

void port_output(struct port *p, uint32_t seq, enum wire_stream stream, uint64_t at, struct bytes data)
{
        while (data.len) {
                struct wire_worker_output body = {0};
                size_t n = data.len < PIECE_BYTES ? data.len : PIECE_BYTES;

                WIRE_SET(&body, worker_output, run, seq);
                WIRE_SET(&body, worker_output, stream, stream);
                WIRE_SET(&body, worker_output, at, at);
                WIRE_SET(&body, worker_output, data, (struct bytes){data.data, n});
                send_message(p, WIRE_MESSAGE(worker_output), 0, &body);
                at += n;
                data.data += n;
                data.len -= n;
        }
}

void port_metric(struct port *p, const struct wire_worker_metric *metric)
{
        send_message(p, WIRE_MESSAGE(worker_metric), 0, metric);
}

void port_retire(struct port *p, const char *reason)
{
        struct wire_worker_retire body = {0};

        WIRE_SET(&body, worker_retire, reason, wire_str(reason));
        send_message(p, WIRE_MESSAGE(worker_retire), 0, &body);
}
