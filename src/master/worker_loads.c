/*
 * What a js worker asks the loader on its run's behalf, and the answers. Only while a run is under way, and
 * one question at a time: anything else costs the worker its life, as any frame does that is not in order.
 */
#include "master/pool.h"
#include "master/worker.h"

static int ask(struct peer *p, uint64_t seq, const struct wire_message *m, const void *body,
        struct wire_refusal *why)
{
        struct worker *w = container_of(p, struct worker, peer);
        struct wire_refusal refusal;

        if (w->kind != KIND_JS || !w->seat.n_runs)
                return wire_refuse(why, WIRE_BAD_FRAME, "a question to the loader without a run");
        if (asker_waits(&w->asker))
                return wire_refuse(
                        why, WIRE_BAD_FRAME, "a second question to the loader before the first is answered");
        if (loader_link_ask(w->pool->loader, &w->asker, seq, m, body, &refusal))
                peer_refuse(p, seq, &refusal, -1);
        return 0;
}

int worker_on_load(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        return ask(p, seq, WIRE_MESSAGE(load), &body->load, why);
}

int worker_on_check(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        return ask(p, seq, WIRE_MESSAGE(check), &body->check, why);
}

/* A worker that does not read has room for more than it may ask for; one without room any more runs into its
 * deadline. */
static void on_answer(struct asker *a, const struct wire_message *m, const void *body)
{
        struct worker *w = container_of(a, struct worker, asker);

        if (peer_send(&w->peer, m, a->seq, body) < 0)
                worker_kill(w, WIRE_WORKER_CRASHED, "there was no memory for what it asked for");
}

static void on_refused(struct asker *a, const struct wire_refusal *why)
{
        peer_refuse(&container_of(a, struct worker, asker)->peer, a->seq, why, -1);
}

const struct loader_link_ops worker_loader_ops = {.on_answer = on_answer, .on_refused = on_refused};
