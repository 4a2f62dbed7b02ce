/*
 * What becomes of a task after an attempt. Pure: the random bits come in.
 *
 * Only what can come out otherwise is tried again (wire_codes[].retry). The wait grows by `backoff` with each attempt, up
 * to `delay_max`, and is spread by +/- `jitter`, so that what failed together does not come back together.
 * A task that has cost QUARANTINE_KILLS workers gets one more attempt alone in a fresh process, also when maxAttempts is
 * used up: it may have been its company that killed them. After that it gets none.
 */
#pragma once

#include "master/task.h"

enum { QUARANTINE_KILLS = 3 };

struct retry_policy {
        double backoff;    /* factor, at least 1 */
        int64_t delay_max; /* ns; 0: unlimited */
        double jitter;     /* 0 to 1 */
};

struct retry_verdict {
        bool again;
        int64_t at;            /* again: not before this */
        bool quarantine;       /* again: the last time, alone (the caller sets task->quarantined) */
        enum task_state state; /* not again: TASK_FAILED, TASK_CANCELLED or TASK_DEAD */
        enum wire_code code;   /* what the record says: the attempt's code, CANCELLED or QUARANTINED */
};

/* After an attempt of a task ended with a code other than WIRE_OK and is in the ledger. `random`: 64 fresh bits. */
struct retry_verdict retry_decide(const struct task *t, enum wire_code code, int64_t now,
        const struct retry_policy *policy, uint64_t random);

/* The wait after this many attempts. */
int64_t retry_wait(int64_t first, unsigned attempts, const struct retry_policy *policy, uint64_t random);
