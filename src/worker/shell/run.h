/* One command under way: its tree, its streams, its deadline; and what it comes to. */
#pragma once

#include "sandbox/jail.h"
#include "wire/codec.h"
#include "worker/outcome.h"
#include "worker/shell/capture.h"
#include "worker/shell/request.h"

enum { RUN_STDOUT, RUN_STDERR, RUN_STREAMS };

struct run {
        bool active;
        uint32_t seq;
        bool followed, refollow; /* refollow: from the first byte, as soon as there is room */
        struct jail_tree tree;
        struct capture streams[RUN_STREAMS];
        struct strings collect;
        enum encoding encoding;
        char name[128]; /* of what is run, for messages */
        uint64_t timeout_ms;
        uint64_t max_cpu_us;       /* of the whole tree; 0: unlimited */
        int64_t cpu_at;            /* when it may be used up at the earliest */
        int64_t deadline, kill_at; /* monotonic; INT64_MAX: never */
        enum wire_code stopped;    /* WIRE_OK: by nobody but itself */
};

void run_init(struct run *r);

/* Starts what was read, with the limit of kept output. Positive: refused. Negative: jail.fault says what
 * failed. */
int run_start(struct run *r, struct jail *j, struct request *q, size_t max_output, struct wire_refusal *why);

/* Its tree is to end, for this reason (TIMEOUT, CANCELLED); what has been stopped before keeps its reason. */
void run_stop(struct run *r, enum wire_code reason);
/* Does what the time has come for, and says when the next thing is due. */
int64_t run_tick(struct run *r, int64_t now);

/* Waits for the tree's end, which must be near, and writes the outcome. Nothing of it lives when this
 * returns. */
void run_finish(struct run *r, struct outcome *out);
