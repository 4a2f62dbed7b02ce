/* What the files of the durable part share; nobody else includes this. */
#pragma once

#include "master/durable.h"
#include "master/waiter.h"

enum change_kind {
        CHANGE_ACCEPT,
        CHANGE_CLAIM,
        CHANGE_ATTEMPT,
        CHANGE_REVOKE, /* a claim */
        CHANGE_RELEASE,
        CHANGE_END,
        CHANGE_SETTING,
};

struct change {
        struct store_change link;
        enum change_kind kind;
        struct task *task;
        uint64_t fence;
        enum task_state state; /* END */
        struct setting_change *setting;
};

struct setting_change {
        struct project_settings settings;
        struct list waiters; /* one, unless its session is gone */
        char project[PROJECT_NAME_MAX + 1];
};

static inline struct change *change_of(struct store_change *c)
{
        return container_of(c, struct change, link);
}

/* NULL: no memory. Its fence is the task's present generation. */
struct change *durable_change(enum change_kind kind, struct task *t);
void durable_free_change(struct change *c);

/* durable_ahead.c: attempts that are written ahead */

/* The task was just handed over, and a worker waits: both are one commit then. */
void durable_claim_accepted(struct durable *d, struct task *t);
bool durable_claim_done(struct durable *d, struct change *c, enum store_outcome outcome);
bool durable_revoke_done(struct durable *d, struct change *c, enum store_outcome outcome);
/* The task is about to be freed, and what was asked for it may be under way. */
void durable_disown_claim(struct durable *d, const struct task *t);

/* durable_load.c: what comes back at the start */
void durable_load_on(struct durable *d);
void durable_on_project(struct store_link *, const struct wire_store_project *);
void durable_on_row(struct store_link *, const struct wire_store_row *);
void durable_on_loaded(struct store_link *, const struct wire_store_loaded *);
void durable_free_unknown(struct durable *d);

static inline struct durable *durable_of(struct store_link *l)
{
        return container_of(l, struct durable, link);
}
