/*
 * A peer: whoever is at the other end of a channel - a client, a worker, the spawner. It reads frames, checks that this
 * peer may send this message now, decodes it and calls the handler in the owner's table. What it refuses it hands to the
 * owner by name; it never decides what follows from that.
 */
#pragma once

#include "master/loop.h"
#include "wire/channel.h"

struct peer;

struct peer_handler {
        /* 0: done; positive: refused, `why` filled in. May close the peer. */
        int (*call)(struct peer *, uint64_t seq, const union wire_body *, struct wire_refusal *why);
};

struct peer_ops {
        const char *name;
        enum wire_peer from;
        unsigned int depth_max;              /* how deep its frames may nest; 0: as deep as any */
        bool always_heard;                   /* is read from even while it does not read: what it owes is an answer */
        const struct wire_message *reply;    /* what {ok:true} of this peer is; NULL: it may not reply */
        /* The same where replies are of more than one kind; NULL: not so. */
        const struct wire_message *(*reply_to)(uint64_t seq);
        const struct peer_handler *handlers; /* WIRE_IDS of them; NULL calls are not permitted */
        /* The peer answered {ok:false}. Needed where reply is set. */
        int (*on_failure)(struct peer *, uint64_t seq, const struct wire_failure *, struct wire_refusal *why);
        /* A frame was refused. `fatal`: the stream can't go on, the owner must close. */
        void (*on_refused)(struct peer *, uint64_t seq, const struct wire_refusal *why, bool fatal);
        /* The other end is gone, or the channel failed; the owner must close. */
        void (*on_closed)(struct peer *, const char *reason);
};

struct peer {
        struct channel channel;
        struct ev_io reader, writer;
        struct flushable flushable;
        struct loop *loop;
        const struct peer_ops *ops;
        enum wire_when state; /* WIRE_GREETING at first */
        bool closed;          /* no callback from now on */
        bool held;            /* not read from until it has read what waits for it */
        bool postponed;       /* not read from: the frame that was handled last will be handled again */
        const char *given_up; /* why its end comes at the next flush; NULL: it does not */
};

/* Takes the descriptor over, which must be non-blocking. */
void peer_init(struct peer *p, struct loop *loop, int fd, const struct peer_ops *ops, size_t max_frame, size_t out_limit);

/* Stops all watching and closes the descriptor. Twice is harmless. */
void peer_close(struct peer *p);
/* Ends a peer from inside anybody's callback: it hears and says nothing more, and on_closed comes before the loop sleeps.
 * The reason is a constant. */
void peer_give_up(struct peer *p, const char *reason);
/* Inside of a handler, which then returns without having done anything, whatever it returns: the same frame comes again after
 * peer_go_on(), and none before it. */
void peer_postpone(struct peer *p);
void peer_go_on(struct peer *p);
/* Handles what is already there, without waiting: before a judgement on a peer that may have spoken. */
void peer_drain(struct peer *p);
/* Frees the buffers too: not inside a callback of this peer. */
void peer_fini(struct peer *p);

/* Writes what is queued now, as far as it can be written without waiting. */
void peer_flush_early(struct peer *p);
/* Queues a message; it goes out before the loop sleeps. -ENOBUFS: the peer reads too slowly. */
int peer_send(struct peer *p, const struct wire_message *m, uint64_t seq, const void *body);
int peer_refuse(struct peer *p, uint64_t seq, const struct wire_refusal *why, int64_t retry_after_ms);

/* Bytes waiting for the peer to read them. */
static inline size_t peer_backlog(const struct peer *p)
{
        return buf_size(&p->channel.out);
}
