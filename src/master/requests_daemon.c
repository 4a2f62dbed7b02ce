/* The ops about the supervisor itself: hello, ping, reload, drain, stop. */
#include "master/requests.h"

#include "base/log.h"
#include "master/session.h"
#include "master/supervisor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int request_hello(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct session *s = session_of(p);
        struct wire_hello_reply reply = {0};

        (void)why;
        memcpy(s->client, body->hello.client.data, body->hello.client.len);
        p->state = WIRE_OPEN;
        log_debug("session-opened", "session %llu client %s pid %d uid %u", (unsigned long long)s->id, s->client,
                s->who.pid, s->who.uid);
        WIRE_SET(&reply, hello_reply, version, 1);
        WIRE_SET(&reply, hello_reply, server, wire_str("poppod/" POPPO_VERSION));
        WIRE_SET(&reply, hello_reply, pid, (uint64_t)getpid());
        WIRE_SET(&reply, hello_reply, max_frame_bytes, CHANNEL_FRAME_MAX);
        session_reply(s, WIRE_MESSAGE(hello_reply), seq, &reply);
        return 0;
}

int request_ping(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct wire_ping_reply reply = {0};

        (void)body;
        (void)why;
        session_reply(session_of(p), WIRE_MESSAGE(ping_reply), seq, &reply);
        return 0;
}

int request_reload(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct session *s = session_of(p);
        struct wire_reload_reply reply = {0};
        char text[4096];

        (void)body;
        if (supervisor_reload(s->supervisor, text, sizeof(text)))
                return wire_refuse(why, WIRE_INVALID_OPTION, "%.180s", text);
        WIRE_SET(&reply, reload_reply, message, wire_str(text));
        session_reply(s, WIRE_MESSAGE(reload_reply), seq, &reply);
        return 0;
}

int request_drain(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct session *s = session_of(p);

        (void)body;
        if (!list_empty(&s->drain_node))
                return wire_refuse(why, WIRE_INVALID_OPTION, "this connection waits for a drain already");
        s->drain_seq = seq;
        list_push_back(&s->supervisor->drain_waiters, &s->drain_node);
        supervisor_drain(s->supervisor);
        return 0;
}

int request_stop(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct session *s = session_of(p);
        struct wire_stop_reply reply = {0};

        (void)why;
        session_reply(s, WIRE_MESSAGE(stop_reply), seq, &reply);
        supervisor_end(s->supervisor, body->stop.now, "a client asked for it");
        return 0;
}
