/*
 * The fork server. poppod starts it by fork and exec before it holds any client's data; it prepares once what every
 * worker needs and then makes a worker for each `spawn` that comes over its channel.
 *
 * A worker is a sibling of the spawner, not its child: the master is its parent, gets a pidfd and the worker's channel
 * with the reply, reaps it, and loses nothing when the spawner dies. The spawner keeps nothing of a worker.
 */
#pragma once

#include "base/buf.h"
#include "sandbox/cgroup.h"
#include "wire/codec.h"

#include <stdbool.h>

struct spawner_class {
        const char *name; /* one of the class words of the spawn message; names the column of the lock-down tables, but
                           * with `handlers` */
        /* Once, before any fork. Negative: the spawner gives up. NULL: nothing to prepare. */
        int (*prepare)(const struct wire_spawn_setup *setup);
        bool nonblocking; /* its channel is polled; else it blocks */
        bool jailer;      /* locks up what it runs (sandbox/jail.h), and tells those layers itself */
        /* A jailer's, before it prepares: where it makes control groups for its trees. The host stays as long as the process. */
        void (*offer_groups)(const struct cgroup_host *groups);
        bool handlers;    /* serves handlers of the operator's own, under the profile that each of them names */
        /* In the forked child, before any layer is laid: loads what the sandbox would not let it load. ask is the message that
         * it was asked for with, and stays as long as the process. Negative or positive: the child ends; positive: refused,
         * and `why` is what the master will be told. NULL: nothing to load. */
        int (*load)(const struct wire_spawn *ask, struct wire_refusal *why);
        /* In the locked-down child. The channel is a stream socket; layers is an encoded map
         * {layer: "enforced"|"partial"|"absent"}. Both are good for as long as the process lives. */
        __attribute__((noreturn)) void (*run)(int channel_fd, const struct wire_spawn *ask, struct bytes layers);
};

/* Serves on the channel until it closes; takes over the whole process (descriptors, signals, environment). Expects
 * `setup` as the first frame and answers `prepared`, with what image_bytes() says (NULL: 0). Returns the exit status. */
int spawner_main(int channel_fd, const struct spawner_class *classes, size_t n_classes, size_t (*image_bytes)(void));
