/*
 * Who starts the helper programs. What a process renounces, whatever it starts has renounced too; and the
 * spawner needs root's rights, mounts and namespaces for its jails. So the master could start no new spawner
 * if it gave anything up. Instead it forks the starter, before it has opened or heard anything, and then
 * gives all of it up.
 *
 * The starter is as little as can be. A request is a record of a few bytes and a descriptor; it parses
 * nothing, keeps nothing, and knows only the programs that it was forked with. What it starts becomes the
 * master's child and not its own.
 */
#pragma once

#include "sandbox/identity.h"
#include "sandbox/layer.h"

#include <stdint.h>
#include <sys/types.h>

enum helper { HELPER_SPAWNER, HELPER_LOADER, HELPER_STORE, HELPERS };

struct starter_setup {
        const char *programs[HELPERS]; /* paths; NULL: there is none */
        const struct identity *user;   /* who the helpers run as, but the spawner. NULL: who poppod is */
        uint64_t memory_bytes;         /* a task's: the spawner's stack has room for it */
};

/* A request, and its answer of the same number; to START the channel comes along, and with its answer the
 * pidfd. */
struct starter_request {
        uint32_t number;
        enum { STARTER_START, STARTER_KILL, STARTER_LAYERS } what;
        int32_t which; /* START: the helper; KILL: a child of the master's */
};
struct starter_answer {
        uint32_t number;
        int32_t result; /* START: the pid; LAYERS: how many states follow; or negative */
        uint8_t states[LAYERS_MAX];
};

/* What the states are of, in their order. */
extern const char *const starter_layers[LAYERS_MAX];

/* The process itself: serves until its master closes the socket. */
_Noreturn void starter_main(const struct starter_setup *setup, int sock, pid_t master);
