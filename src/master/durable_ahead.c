/* Attempts that are written ahead: asking for them, using them, giving them back. */
#include "master/durable_change.h"

#include "base/clock.h"

static void claim(struct durable *d, struct task *t, int64_t now)
{
        struct change *c;

        if (!claims_add(&d->claims, t, now))
                return;
        c = durable_change(CHANGE_CLAIM, t);
        if (c)
                store_link_push(&d->link, &c->link);
        else
                claims_drop(&d->claims, t);
}

void durable_claim_accepted(struct durable *d, struct task *t)
{
        const struct scheduler *s = d->scheduler;
        int64_t now = clock_now();

        if (t->not_before <= now && d->claims.ahead.n < s->n_idle &&
                scheduler_could_start(s, t->project, (enum task_class)t->class, now))
                claim(d, t, now);
}

/* The claim of this task that the store has not been sent; NULL: there is none. */
static struct change *unsent_claim(const struct durable *d, const struct task *t)
{
        for (struct list *node = d->link.unsent; node != &d->link.waiting; node = node->next) {
                struct change *c = change_of(list_entry(node, struct store_change, node));

                if (c->task == t && c->kind == CHANGE_CLAIM)
                        return c;
        }
        return NULL;
}

/* One that was not even sent is as if it had never been. */
static void give_back(struct durable *d, struct task *t)
{
        struct change *unsent = unsent_claim(d, t), *c = unsent ? NULL : durable_change(CHANGE_REVOKE, t);

        claims_drop(&d->claims, t);
        if (unsent) {
                store_link_drop(&d->link, &unsent->link);
                durable_free_change(unsent);
        }
        if (c)
                store_link_push(&d->link, &c->link);
}

static void look_ahead(struct durable *d, int64_t now)
{
        struct task *next[CLAIMS_MAX];
        size_t n = scheduler_ahead(d->scheduler, claims_horizon(&d->claims), next, CLAIMS_MAX);

        for (size_t i = 0; i < n; i++)
                claim(d, next[i], now);
        d->claims.enough = d->claims.ahead.n / 2;
}

/* Which worker has it, and since when. Nothing depends on it but what is told of it after a crash. */
static void write_begun(struct durable *d, struct task *t)
{
        struct change *c = t->state == TASK_RUNNING ? durable_change(CHANGE_ATTEMPT, t) : NULL;

        claims_drop(&d->claims, t);
        if (c)
                store_link_push(&d->link, &c->link);
}

void durable_look_ahead(struct durable *d)
{
        int64_t now = clock_now();
        struct task *t;
        bool stopping;

        if (!d->on || !d->link.available)
                return;
        stopping = d->scheduler->mode == SCHEDULER_STOPPING;
        while ((t = stopping && d->claims.ahead.n ? d->claims.ahead.rows[0].task : claims_stale(&d->claims, now)))
                give_back(d, t);
        while ((t = claims_lasting(&d->claims, now)))
                write_begun(d, t);
        if (!stopping && d->opened && d->claims.ahead.n <= d->claims.enough)
                look_ahead(d, now);
        loop_alarm_set(d->link.process.loop, &d->claims_due, now, claims_next(&d->claims));
}

/* A task that was started meanwhile waits for it. */
bool durable_claim_done(struct durable *d, struct change *c, enum store_outcome outcome)
{
        struct task *t = c->task;

        if (t->claim != CLAIM_ASKED || t->generation != c->fence) {
                if (outcome == STORE_KEPT)
                        dispatch_attempt_kept(d->dispatch, t, c->fence);
        } else if (outcome == STORE_KEPT) {
                claims_kept(&d->claims, t, clock_now());
        } else {
                claims_drop(&d->claims, t);
        }
        return true;
}

/* What may not be given back is as if the supervisor had been killed under it, should it be. */
bool durable_revoke_done(struct durable *d, struct change *c, enum store_outcome outcome)
{
        (void)d;
        (void)c;
        (void)outcome;
        return true;
}

void durable_disown_claim(struct durable *d, const struct task *t)
{
        list_for_each_safe (node, &d->link.waiting) {
                struct change *c = change_of(list_entry(node, struct store_change, node));

                if (c->task != t)
                        continue;
                store_link_drop(&d->link, &c->link);
                durable_free_change(c);
        }
}
