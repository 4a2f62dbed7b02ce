/*
 * Locking a fresh worker down: the layers of lockdown.c's table, one after the other, each with what became of it. A
 * layer that cannot be had does not stop the worker here: it is reported, and the master decides by security.require.
 */
#pragma once

#include "base/buf.h"
#include "sandbox/cgroup.h"
#include "sandbox/filter.h"
#include "sandbox/layer.h"
#include "sandbox/profile.h"
#include "wire/message.h"

#include <sys/types.h>

/* Where a worker finds its channel; and, if it learns, the way to the learner. */
enum { LOCKDOWN_CHANNEL_FD = 3, LOCKDOWN_LEARNER_FD };

struct lockdown {
        const struct wire_spawn_setup *setup;
        const struct filter *filter;
        enum profile profile;
        uint64_t mapped_bytes; /* address space in use before the fork */
        pid_t parent;          /* the master */
        uid_t uid;             /* the slot's user */
        int channel_fd;
        int learner; /* its filter refuses nothing, and tells whoever listens there; 0: it is as it should be */
        struct cgroup_host *groups; /* NULL: none. Their descriptors are the only ones kept besides the channel */
        bool jailer; /* leaves out the layers that it lays around what it runs, and tells those itself */
};

/* In the spawner: leaves the environment as its children must have it. They only check that it still is. */
int lockdown_clear_environment(void);

/* Appends the encoded map {layer: state}. Negative: the process must end, with -ESRCH because its master is gone. */
int lockdown_apply(const struct lockdown *l, struct buf *layers);
