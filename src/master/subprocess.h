/*
 * A process that the master starts for itself, with a channel on its descriptor 3: started by the starter
 * (starter.h), reaped here, and started again with growing pauses when it dies. What it is for is its owner's business
 * (spawner_link.h, loader_link.h).
 */
#pragma once

#include "config/config.h"
#include "master/peer.h"
#include "master/starter_link.h"

#include <sys/types.h>

enum subprocess_state { SUBPROCESS_DOWN, SUBPROCESS_STARTING, SUBPROCESS_READY };

struct subprocess;

struct subprocess_ops {
        enum helper program;
        const char *name, *lost; /* in the log: who, and the event of its death */
        const struct peer_ops
                *peer; /* on_refused and on_closed are subprocess_on_refused and subprocess_on_closed */
        size_t frame_max, out_max;
        bool takes_fds;
        int tidies_ms; /* at the supervisor's end it has something to put away, and as long as this to do so */
        /* Queues its first message, before there is anybody to read it. */
        int (*greet)(struct subprocess *);
        /* It died: whatever was under way with it is void. */
        void (*on_lost)(struct subprocess *);
};

struct subprocess {
        struct loop *loop;
        const struct subprocess_ops *ops;
        struct starter_link *starter;
        struct peer peer;
        bool has_peer;
        enum subprocess_state state;
        pid_t pid;
        int pidfd;
        struct ev_timer restart;
        struct ev_timer patience; /* with one that starts */
        int64_t start_timeout_ms;
        int64_t backoff_ms, backoff_first_ms, backoff_max_ms;
        uint64_t restarts;
        struct buf layers; /* what holds around it, as an encoded map; empty until it has said so */
        bool stopping;
};

/* Starts nothing yet. Its times come from the workers' configuration. */
void subprocess_init(struct subprocess *h, struct loop *loop, struct starter_link *starter,
        const struct config_worker *config, const struct subprocess_ops *ops);
/* Ends it and waits for it. Harmless on a zeroed struct. */
void subprocess_fini(struct subprocess *h);

int subprocess_start(struct subprocess *h);
/* After a start that failed: again, with growing pauses. */
void subprocess_start_later(struct subprocess *h);
/* Ends it for now, and waits: without on_lost, and none follows. */
void subprocess_stop(struct subprocess *h);
/* For one that does not answer; a new one follows. */
void subprocess_kill(struct subprocess *h);

/* It has said that it is ready. */
void subprocess_is_ready(struct subprocess *h);
/* And what holds around it. Positive: these are no layers. */
int subprocess_take_layers(struct subprocess *h, struct bytes layers, struct wire_refusal *why);

void subprocess_on_refused(struct peer *p, uint64_t seq, const struct wire_refusal *why, bool fatal);
void subprocess_on_closed(struct peer *p, const char *reason);

const char *subprocess_state_name(enum subprocess_state state);

static inline struct subprocess *subprocess_of_peer(struct peer *p)
{
        return container_of(p, struct subprocess, peer);
}
