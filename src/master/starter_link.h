/*
 * The master's end of the starter. Each question waits for its answer: that is as long as a small fork takes.
 * There is no second starter: without it no helper that dies can be replaced any more, so its end is the
 * supervisor's.
 */
#pragma once

#include "master/loop.h"
#include "master/starter.h"

#include <stdbool.h>

struct starter_link {
        int sock, pidfd;
        pid_t pid;
        uint32_t number;
        struct starter_setup setup;
        struct ev_io watch;
        struct loop *loop;
        void (*on_lost)(struct starter_link *);
        struct layers layers; /* what holds around it */
};

/* Forks it, before there is an event loop. What setup points to is copied. Negative: it could not be, or does
 * not answer. */
int starter_link_init(struct starter_link *s, const struct starter_setup *setup);
/* From now on its end is told. */
void starter_link_watch(struct starter_link *s, struct loop *loop, void (*on_lost)(struct starter_link *));
/* Ends it and waits for it. Harmless on a zeroed struct. */
void starter_link_fini(struct starter_link *s);

static inline bool starter_link_has(const struct starter_link *s, enum helper which)
{
        return s->setup.programs[which] != NULL;
}

/* Starts a helper as our child, with this end of a channel, which stays the caller's. Its pid, and *pidfd; or
 * negative. */
pid_t starter_link_start(struct starter_link *s, enum helper which, int channel, int *pidfd);
/* Kills a child of ours of which there is no pidfd. 0, or negative. */
int starter_link_kill(struct starter_link *s, pid_t pid);
