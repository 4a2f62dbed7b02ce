/* Group commit, and what happens when it fails. */
#include "store/keeper_private.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

#include <string.h>

static const int64_t PROBE_FIRST = 100 * NS_PER_MS, PROBE_MOST = 2 * NS_PER_S;

/* ---- health ---- */

static int tell_health(struct keeper *k)
{
        struct wire_store_health health = {0};

        WIRE_SET(&health, store_health, available, k->available);
        if (!k->available)
                WIRE_SET(&health, store_health, message, wire_str(k->store->why));
        return keeper_send(k, WIRE_MESSAGE(store_health), 0, &health);
}

static int end_corrupt(struct keeper *k)
{
        struct wire_store_unusable body = {0};

        log_error("store-corrupt", "%s", k->store->why);
        WIRE_SET(&body, store_unusable, reason, 0);
        WIRE_SET(&body, store_unusable, message, wire_str(k->store->why));
        k->ended = true;
        return keeper_send(k, WIRE_MESSAGE(store_unusable), 0, &body);
}

int keeper_lose(struct keeper *k, int condition)
{
        bool was_available = k->available;

        if (k->ops->rollback && k->batch.open)
                k->ops->rollback(k->store);
        k->batch.open = false;
        if (condition == STORE_CORRUPT)
                return end_corrupt(k);
        if (condition < 0)
                store_say(k->store, 0, "%s", error_text(condition));
        k->available = false;
        k->broken = k->broken || condition == STORE_BROKEN || condition == STORE_LOCKED;
        k->probe_wait = was_available || !k->probe_wait ? PROBE_FIRST : k->probe_wait * 2;
        if (k->probe_wait > PROBE_MOST)
                k->probe_wait = PROBE_MOST;
        k->probe_at = clock_now() + k->probe_wait;
        if (!was_available)
                return 0;
        log_error("store-unavailable", "%s (%s)", k->store->why, store_condition_name(condition));
        return tell_health(k);
}

int keeper_probe(struct keeper *k)
{
        int r = 0;

        if (k->available || k->ended || clock_now() < k->probe_at)
                return 0;
        if (k->broken)
                r = k->ops->reopen(k->store);
        if (!r) {
                k->broken = false;
                r = k->ops->probe(k->store);
        }
        if (r)
                return keeper_lose(k, r);
        k->available = true;
        log_info("store-available", "it can be written again");
        return tell_health(k);
}

/* ---- batches ---- */

/* One run for a stretch of changes that ended alike. */
static void note(struct batch *b, uint64_t number, uint64_t outcome)
{
        if (!b->n_runs || b->runs[b->n_runs - 1].outcome != outcome)
                b->runs[b->n_runs++].outcome = outcome;
        b->runs[b->n_runs - 1].through = number;
}

static int begin(struct keeper *k)
{
        if (k->batch.open || k->batch.failed)
                return k->batch.failed;
        k->batch.failed = k->ops->begin(k->store);
        k->batch.open = !k->batch.failed;
        return k->batch.failed;
}

int batch_change(struct keeper *k, uint64_t number, size_t bytes, int (*make)(struct keeper *, const void *), const void *body)
{
        struct batch *b = &k->batch;
        int r;

        b->changes++;
        b->bytes += bytes;
        if (!k->available || begin(k)) {
                note(b, number, OUTCOME_UNAVAILABLE);
                return 0;
        }
        r = make(k, body);
        if (r == STORE_STALE)
                log_warn("store-stale", "change %llu: %s", (unsigned long long)number, k->store->why);
        else if (r)
                b->failed = r;
        note(b, number, r == STORE_STALE ? OUTCOME_STALE : OUTCOME_KEPT);
        return 0;
}

static int commit(struct keeper *k)
{
        struct batch *b = &k->batch;
        int64_t started = clock_now();

        if (!b->failed && b->open)
                b->failed = keeper_forget_some(k);
        if (!b->failed && b->open)
                b->failed = k->ops->commit(k->store);
        if (b->failed)
                return keeper_lose(k, b->failed);
        if (b->open) {
                k->commits++;
                k->commit_ns += clock_now() - started;
        }
        b->open = false;
        return 0;
}

static int tell_outcomes(struct keeper *k)
{
        struct batch *b = &k->batch;
        int r = 0;

        for (size_t i = 0; !r && i < b->n_runs; i++) {
                struct wire_store_done done = {0};

                WIRE_SET(&done, store_done, through, b->runs[i].through);
                WIRE_SET(&done, store_done, outcome, b->runs[i].outcome);
                r = keeper_send(k, WIRE_MESSAGE(store_done), 0, &done);
        }
        return r;
}

/* A transaction is kept or refused as a whole: what failed in it, if only at its end, failed for all of it. */
int batch_finish(struct keeper *k)
{
        struct batch *b = &k->batch;
        int r = commit(k);

        if (b->failed && b->n_runs)
                b->runs[0] = (struct batch_run){b->runs[b->n_runs - 1].through, OUTCOME_UNAVAILABLE};
        if (b->failed && b->n_runs)
                b->n_runs = 1;
        if (b->n_runs == 1 && b->runs[0].outcome == OUTCOME_UNAVAILABLE)
                k->refused += b->changes;
        else
                k->changes += b->changes;
        if (b->changes > k->largest)
                k->largest = b->changes;
        if (!r)
                r = tell_outcomes(k);
        b->n_runs = b->changes = b->bytes = 0;
        b->failed = 0;
        return r;
}
