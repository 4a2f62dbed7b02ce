/*
 * A spawner with a test as its master: forked instead of exec'd, with classes whose workers do what the test bids them.
 * A bid is one of the functions below, called in the locked-down worker; its result comes back as a number.
 */
#pragma once

#include "sandbox/profile.h"
#include "wire/channel.h"

#include <sys/resource.h>
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

/* Indices of the words of spawn.class. */
enum { CLASS_WORD_JS = 0, CLASS_WORD_HTTP = 2, CLASS_WORD_SHELL = 3, CLASS_WORD_PLUGIN = 5 };

/* What a handler of the type "fat" maps when it is loaded. */
enum { NURSERY_FAT = 512 * 1024 * 1024 };

/* What workers of the class http load before they are locked down; set it before the nursery opens. */
extern int (*nursery_load)(const struct wire_spawn *ask);

/* With these bids; the arrays must live as long as the nursery. Asserts that the spawner says `prepared`. */
void nursery_open(struct nursery *n, int64_t (*const *bids)(void), const struct wire_spawn_setup *setup);
/* Closes the channel, waits for the spawner and gives its exit status. */
int nursery_close(struct nursery *n);

/* A setup as a master would send it. */
struct wire_spawn_setup nursery_setup(void);

/* Asks for a worker of the class with this index in the message's words. The frame of the answer is the channel's. */
struct bytes nursery_ask(struct nursery *n, uint64_t class, const struct wire_handler *handler);
/* A plugin's record; its type tells what becomes of it when it is loaded: "refused", "broken", "fat" or well. */
struct wire_handler nursery_handler(const char *type);

/* A worker that exists and has not said anything yet; of a class without handlers: that has said its layers. */
void infant_begin(struct nursery *n, struct infant *w, uint64_t class, const struct wire_handler *handler);
void infant_spawn_class(struct nursery *n, struct infant *w, uint64_t class);
/* A plugin's worker that has said its layers. */
void infant_spawn_plugin(struct nursery *n, struct infant *w, const struct wire_handler *handler);
/* A js worker that has said its layers. */
void infant_spawn(struct nursery *n, struct infant *w);
/* False when the worker died instead of answering. */
bool infant_bid(struct infant *w, uint8_t bid, int64_t *result);
/* Waits for its death (the channel is closed first) and gives the status of waitpid. */
int infant_reap(struct infant *w);
/* The word that the worker reported for a layer. */
struct bytes infant_layer(const struct infant *w, const char *name);

/* A worker's limit, soft and hard, as the kernel tells anybody: prlimit(2) would need a privilege for another user's. */
struct rlimit infant_limit(const struct infant *w, int resource);
