/*
 * The host that a plugin sees (struct poppo_host of poppo/plugin.h), and the run that it is asked about. The
 * worker begins and ends runs; in between the plugin's code says what comes of them.
 */
#pragma once

#include "worker/plugin/load.h"
#include "worker/port.h"

struct host_run {
        uint32_t seq;
        struct bytes task;
        int64_t started;
        uint64_t timeout_ms;     /* 0: unlimited */
        const char *traceparent; /* NULL: none */
        bool follow, cancelled;
};

/* type and profile stay the caller's, and must stay. -ENOMEM. */
int host_open(struct port *port, const char *type, const char *profile);
const struct poppo_host *host_shown(void);

/* What is returned is what the plugin gets. Until host_end() its functions are about this run. */
struct poppo_run *host_begin(const struct host_run *run);
/* From now on a failure without a code is this one. */
void host_default_code(enum wire_code code);
/* The plugin's function of this name has returned: settles how the run came out, and says so to the master.
 */
void host_end(const char *function, int returned);

/* From the channel, while a run is under way or not. */
void host_cancel(uint32_t seq);
void host_follow(uint32_t seq);
