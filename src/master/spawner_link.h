/*
 * The master's end of the spawner: starts it before any client's data exists, hands it its configuration, asks it for
 * workers, and starts a new one when it dies. Workers are the master's own children (the spawner makes them its
 * siblings), so the spawner's death costs none of them.
 */
#pragma once

#include "master/subprocess.h"

struct spawner_link;

/* What becomes of a request. Token is the request's own. */
struct spawner_link_ops {
        void (*on_ready)(struct spawner_link *);
        /* The two descriptors are the callee's now. */
        void (*on_spawned)(struct spawner_link *, uint64_t token, pid_t pid, int channel_fd, int pidfd);
        void (*on_failed)(struct spawner_link *, uint64_t token, const char *reason);
        /* The spawner died: every request that was under way is void. */
        void (*on_lost)(struct spawner_link *);
};

struct spawner_link {
        struct subprocess process;
        const struct spawner_link_ops *ops;
        struct wire_spawn_setup setup;
};

/* Starts it, too. Its times come from the workers' configuration. */
int spawner_link_init(struct spawner_link *s, struct loop *loop, struct starter_link *starter,
        const struct wire_spawn_setup *setup, const struct config_worker *config, const struct spawner_link_ops *ops);
/* Ends the spawner and waits for it. Harmless on a zeroed struct. */
void spawner_link_fini(struct spawner_link *s);

/* Asks for a worker. -EAGAIN while the spawner is not ready. */
int spawner_link_request(struct spawner_link *s, uint64_t token, const struct wire_spawn *body);
