/*
 * The master's end of the store: starts it, hands it its configuration, sends it changes and hears what became of them.
 * A change is the owner's until it is done. One that was not acknowledged when the store dies is sent again to the next
 * one, in the same order; whether the old one had kept it makes no difference.
 */
#pragma once

#include "config/config.h"
#include "master/subprocess.h"

/* As the words of done.outcome. */
enum store_outcome { STORE_KEPT, STORE_UNAVAILABLE, STORE_STALE };

/* Embedded in what the owner knows of it. */
struct store_change {
        struct list node;
        uint64_t number;
};

struct store_link;

struct store_link_ops {
        /* The first one is open, or its successor is: changes that wait are being sent. */
        void (*on_opened)(struct store_link *, const struct wire_store_opened *);
        /* Sends the change's message with store_link_send(). Negative: no memory for it. */
        int (*send)(struct store_link *, struct store_change *);
        /* The change is the callee's again. */
        void (*on_done)(struct store_link *, struct store_change *, enum store_outcome);
        /* link->available has changed. */
        void (*on_health)(struct store_link *);
        /* Its process is gone; another one is coming. */
        void (*on_lost)(struct store_link *);
        void (*on_project)(struct store_link *, const struct wire_store_project *);
        void (*on_row)(struct store_link *, const struct wire_store_row *);
        void (*on_loaded)(struct store_link *, const struct wire_store_loaded *);
        void (*on_measured)(struct store_link *, const struct wire_store_measure_reply *);
        /* The file can't be used; no other store is started. */
        void (*on_unusable)(struct store_link *, const struct wire_store_unusable *);
};

struct store_link {
        struct subprocess process;
        const struct store_link_ops *ops;
        struct wire_store_open setup; /* borrows from `path` and `owner` */
        char *path;
        uint8_t owner[16];
        bool available;    /* changes may be asked for: it can write, or will soon be there again */
        char why[256];     /* it is not */
        struct list waiting;      /* changes, by number */
        struct list *unsent;      /* of these the first that is not with the store yet; &waiting: none */
        size_t n_waiting;
        uint64_t last_number;
        struct ev_timer outage;
        bool was_open;
};

struct store_link_setup {
        struct starter_link *starter;
        const char *path;
        uint64_t sync; /* index of the word in open.sync */
};

int store_link_init(struct store_link *s, struct loop *loop, const struct store_link_setup *setup,
        const struct config_worker *config, const struct store_link_ops *ops);
/* Closes the channel, so that the store closes its file, and waits for its end. Harmless on a zeroed struct. What still waits
 * was given back to nobody: the owner frees it, before or after. */
void store_link_fini(struct store_link *s);

/* Hands over a change; it gets its number. */
void store_link_push(struct store_link *s, struct store_change *c);
/* Takes one back, whether it was sent or not: nobody is told what becomes of it. */
void store_link_drop(struct store_link *s, struct store_change *c);
/* For ops->send, and for messages without a number. */
int store_link_send(struct store_link *s, const struct wire_message *m, const void *body);
int store_link_measure(struct store_link *s, uint64_t seq);

static inline bool store_link_is_open(const struct store_link *s)
{
        return s->process.state == SUBPROCESS_READY;
}

const char *store_link_state_name(const struct store_link *s);
