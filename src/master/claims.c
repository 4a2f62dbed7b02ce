/* Two small tables: what goes out of them is mostly at their beginning. */
#include "master/claims.h"

#include "base/clock.h"

#include <string.h>

/* A claim waits for the commit under way and for its own; and what is asked for now must last until more is. */
enum { COMMITS_AHEAD = 4, SMOOTHING = 8 };

static const int64_t FIRST_COMMIT = NS_PER_MS, STALE_AFTER = NS_PER_S, LASTING_AFTER = 2 * NS_PER_MS;

static void table_add(struct claim_table *table, struct task *t, int64_t now)
{
        table->rows[table->n++] = (struct claim){t, now};
}

static struct claim *table_find(struct claim_table *table, const struct task *t)
{
        size_t at = 0;

        while (table->rows[at].task != t)
                at++;
        return &table->rows[at];
}

static void table_remove(struct claim_table *table, const struct task *t)
{
        struct claim *row = table_find(table, t);

        memmove(row, row + 1, (size_t)(table->rows + --table->n - row) * sizeof(*row));
}

static int64_t table_due(const struct claim_table *table, int64_t after)
{
        return table->n ? table->rows[0].at + after : INT64_MAX;
}

void claims_init(struct claims *c)
{
        *c = (struct claims){.commit = FIRST_COMMIT};
}

static bool may_have(const struct task *t)
{
        return t->place && t->claim == CLAIM_NONE && !t->quarantined && !t->ending && t->n_attempts + 2u <= t->max_attempts;
}

bool claims_add(struct claims *c, struct task *t, int64_t now)
{
        if (c->ahead.n == CLAIMS_MAX || !may_have(t))
                return false;
        t->claim = CLAIM_ASKED;
        t->generation++;
        table_add(&c->ahead, t, now);
        return true;
}

void claims_kept(struct claims *c, struct task *t, int64_t now)
{
        t->claim = CLAIM_KEPT;
        c->commit += (now - table_find(&c->ahead, t)->at - c->commit) / SMOOTHING;
}

bool claims_begin(struct claims *c, struct task *t, int64_t now)
{
        claims_drop(c, t);
        if (c->begun.n == CLAIMS_MAX)
                return false;
        t->claim = CLAIM_BEGUN;
        table_add(&c->begun, t, now);
        return true;
}

enum task_claim claims_drop(struct claims *c, struct task *t)
{
        enum task_claim was = (enum task_claim)t->claim;

        if (was != CLAIM_NONE)
                table_remove(was == CLAIM_BEGUN ? &c->begun : &c->ahead, t);
        t->claim = CLAIM_NONE;
        return was;
}

struct task *claims_stale(const struct claims *c, int64_t now)
{
        return table_due(&c->ahead, STALE_AFTER) <= now ? c->ahead.rows[0].task : NULL;
}

struct task *claims_lasting(const struct claims *c, int64_t now)
{
        return table_due(&c->begun, LASTING_AFTER) <= now ? c->begun.rows[0].task : NULL;
}

int64_t claims_next(const struct claims *c)
{
        int64_t stale = table_due(&c->ahead, STALE_AFTER), lasting = table_due(&c->begun, LASTING_AFTER);

        return stale < lasting ? stale : lasting;
}

int64_t claims_horizon(const struct claims *c)
{
        return COMMITS_AHEAD * c->commit;
}
