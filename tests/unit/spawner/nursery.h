/*
 * A spawner with a test as its master: forked instead of exec'd, with classes whose workers do what the test bids them.
 * A bid is one of the functions below, called in the locked-down worker; its result comes back as a number.
 */
#pragma once

#include "wire/channel.h"

#include <sys/types.h>

struct nursery {
        struct channel channel;
        pid_t spawner;
};

struct infant {
        pid_t pid;
        int pidfd, channel;
        uint8_t layers[512];
        size_t layers_len;
};

/* The classes that there are, as indices of the message's words. */
enum { NURSERY_JS = 0, NURSERY_HTTP = 2 };

/* What workers of the class http load before they are locked down; set it before the nursery opens. */
extern int (*nursery_load)(const struct wire_spawn *ask);

/* With these bids; the arrays must live as long as the nursery. Asserts that the spawner says `prepared`. */
void nursery_open(struct nursery *n, int64_t (*const *bids)(void), const struct wire_spawn_setup *setup);
/* Closes the channel, waits for the spawner and gives its exit status. */
int nursery_close(struct nursery *n);

/* A setup as a master would send it. */
struct wire_spawn_setup nursery_setup(void);

/* Asks for a worker of the class with this index in the message's words. The frame of the answer is the channel's. */
struct bytes nursery_ask(struct nursery *n, uint64_t class);

/* A worker that exists, and one that has said its layers. */
void infant_conceive(struct nursery *n, uint64_t class, struct infant *w);
void infant_spawn_class(struct nursery *n, uint64_t class, struct infant *w);
/* One of the class js. */
void infant_spawn(struct nursery *n, struct infant *w);
/* False when the worker died instead of answering. */
bool infant_bid(struct infant *w, uint8_t bid, int64_t *result);
/* Waits for its death (the channel is closed first) and gives the status of waitpid. */
int infant_reap(struct infant *w);
/* The word that the worker reported for a layer. */
struct bytes infant_layer(const struct infant *w, const char *name);
