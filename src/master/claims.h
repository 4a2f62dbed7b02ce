/*
 * Attempts that are written ahead. A task may be sent only when its attempt is on disk; a worker that becomes free would have
 * to wait for that. So the attempts of the tasks that come next are written before their time, as many as are started while a
 * commit lasts. A claim is a permission and no decision: the scheduler knows nothing of it, and whatever it decides goes; a
 * task that it starts without a claim waits for its commit.
 *
 *   ASKED   it is on its way to the disk      KEPT   it is there
 *   BEGUN   its task was sent; where is written only if it does not end soon
 *
 * What a crash leaves of a claim can't be told from an attempt that began, and counts as one. So claims are few, are given
 * back when they are not used soon, and a task's last attempt is never claimed: it might be lost without having been.
 *
 * Here: which claims there are, and for how long they look ahead.
 */
#pragma once

#include "master/task.h"

enum { CLAIMS_MAX = 128 };

struct claim {
        struct task *task;
        int64_t at;
};

/* The oldest first. */
struct claim_table {
        struct claim rows[CLAIMS_MAX];
        size_t n;
};

struct claims {
        struct claim_table ahead; /* ASKED, KEPT */
        struct claim_table begun;
        size_t enough;  /* with so many left ahead nobody looks for more */
        int64_t commit; /* how long one took until it was on disk, in ns, smoothed */
};

void claims_init(struct claims *c);
/* The task's, if it may have one and there is room: it is ASKED then, under a generation of its own. */
bool claims_add(struct claims *c, struct task *t, int64_t now);
/* It is on disk. */
void claims_kept(struct claims *c, struct task *t, int64_t now);
/* The task of a KEPT one is sent. False: there is no room to remember it, and there is no claim any more. */
bool claims_begin(struct claims *c, struct task *t, int64_t now);
/* There is no claim any more, if there was one. What it was. */
enum task_claim claims_drop(struct claims *c, struct task *t);

/* The oldest that was not used for too long; NULL: none. */
struct task *claims_stale(const struct claims *c, int64_t now);
/* The oldest whose task was sent so long ago that it is time to write where; NULL: none. */
struct task *claims_lasting(const struct claims *c, int64_t now);
/* When the next one of either kind will be; INT64_MAX: there is none. */
int64_t claims_next(const struct claims *c);
/* What is started within this time is to be claimed now. */
int64_t claims_horizon(const struct claims *c);
