/* Start, watch, restart; and the changes that are under way. */
#include "master/store_link.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/uuid.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FRAME_MAX = 64 * 1024 * 1024, OUT_MAX = 128 * 1024 * 1024, BACKLOG = 4 * 1024 * 1024 };
/* So much goes at once: the store begins with it while the rest of many requests is still being looked at. */
enum { EARLY = 16 * 1024 };

/* How long changes wait for a store that does not come back before they are refused; how long one may take to open a file that
 * must be copied and upgraded, and to close it. */
enum { OUTAGE_MS = 5000, OPEN_MS = 600000, CLOSE_MS = 10000 };

const char *store_link_state_name(const struct store_link *s)
{
        if (store_link_is_open(s))
                return s->available ? "open" : "unavailable";
        return subprocess_state_name(s->process.state);
}

static void set_available(struct store_link *s, bool available, struct bytes why)
{
        bool changed = s->available != available;

        s->available = available;
        snprintf(s->why, sizeof(s->why), "%.*s", (int)why.len, why.len ? (const char *)why.data : "");
        if (changed)
                s->ops->on_health(s);
}

/* ---- changes ---- */

/* What is not sent yet goes when the store has taken what was: it is in memory anyway, and need not be twice. */
static void pump(struct store_link *s)
{
        while (store_link_is_open(s) && s->unsent != &s->waiting && peer_backlog(&s->process.peer) < BACKLOG) {
                struct store_change *c = list_entry(s->unsent, struct store_change, node);

                if (s->ops->send(s, c) < 0)
                        return;
                s->unsent = s->unsent->next;
                if (peer_backlog(&s->process.peer) >= EARLY)
                        peer_flush_early(&s->process.peer);
        }
}

void store_link_push(struct store_link *s, struct store_change *c)
{
        c->number = ++s->last_number;
        list_push_back(&s->waiting, &c->node);
        s->n_waiting++;
        if (s->unsent == &s->waiting)
                s->unsent = &c->node;
        pump(s);
}

void store_link_drop(struct store_link *s, struct store_change *c)
{
        if (s->unsent == &c->node)
                s->unsent = c->node.next;
        list_unlink(&c->node);
        s->n_waiting--;
}

static void finish_through(struct store_link *s, uint64_t through, enum store_outcome outcome)
{
        struct list *node;

        while ((node = list_first(&s->waiting))) {
                struct store_change *c = list_entry(node, struct store_change, node);

                if (c->number > through)
                        return;
                store_link_drop(s, c);
                s->ops->on_done(s, c, outcome);
        }
}

int store_link_send(struct store_link *s, const struct wire_message *m, const void *body)
{
        return store_link_is_open(s) ? peer_send(&s->process.peer, m, 0, body) : -EAGAIN;
}

int store_link_measure(struct store_link *s, uint64_t seq)
{
        struct wire_store_measure body = {0};

        return store_link_is_open(s) ? peer_send(&s->process.peer, WIRE_MESSAGE(store_measure), seq, &body) : -EAGAIN;
}

/* ---- the channel ---- */

static struct store_link *of_peer(struct peer *p)
{
        return container_of(subprocess_of_peer(p), struct store_link, process);
}

static int on_opened(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct store_link *s = of_peer(p);

        (void)seq;
        if (WIRE_HAS(&body->store_opened, store_opened, layers) &&
                subprocess_take_layers(&s->process, body->store_opened.layers, why))
                return 1;
        subprocess_is_ready(&s->process);
        s->unsent = s->waiting.next;
        ev_timer_stop(s->process.loop->ev, &s->outage);
        log_info("store-open", "store pid %d: %s, %llu bytes, version %llu", s->process.pid, s->path,
                (unsigned long long)body->store_opened.bytes, (unsigned long long)body->store_opened.version);
        if (WIRE_HAS(&body->store_opened, store_opened, backup))
                log_info("store-upgraded", "as it was before it is kept in %.*s", (int)body->store_opened.backup.len,
                        (const char *)body->store_opened.backup.data);
        set_available(s, true, (struct bytes){0});
        s->ops->on_opened(s, &body->store_opened);
        s->was_open = true;
        pump(s);
        return 0;
}

static int on_unusable(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct store_link *s = of_peer(p);

        (void)seq;
        (void)why;
        set_available(s, false, body->store_unusable.message);
        s->ops->on_unusable(s, &body->store_unusable);
        return 0;
}

static int on_done(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct store_link *s = of_peer(p);

        (void)seq;
        (void)why;
        finish_through(s, body->store_done.through, (enum store_outcome)body->store_done.outcome);
        pump(s);
        return 0;
}

static int on_health(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct store_link *s = of_peer(p);

        (void)seq;
        (void)why;
        if (body->store_health.available)
                log_info("store-available", "the store can be written again");
        else
                log_warn("store-unavailable", "%.*s", (int)body->store_health.message.len,
                        (const char *)body->store_health.message.data);
        set_available(s, body->store_health.available, body->store_health.message);
        return 0;
}

#define PASS_ON(event, message)                                                                              \
        static int on_##event(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why) \
        {                                                                                                    \
                (void)seq;                                                                                   \
                (void)why;                                                                                   \
                of_peer(p)->ops->on_##event(of_peer(p), &body->message);                                     \
                return 0;                                                                                    \
        }
PASS_ON(project, store_project)
PASS_ON(row, store_row)
PASS_ON(loaded, store_loaded)
PASS_ON(measured, store_measure_reply)
#undef PASS_ON

static int on_failure(struct peer *p, uint64_t seq, const struct wire_failure *f, struct wire_refusal *why)
{
        (void)p;
        (void)seq;
        return wire_refuse(why, WIRE_BAD_FRAME, "the store refused a frame: %.*s",
                (int)(f->message.len > 100 ? 100 : f->message.len), (const char *)f->message.data);
}

static const struct peer_handler handlers[WIRE_IDS] = {
        [WIRE_ID_store_opened] = {on_opened},
        [WIRE_ID_store_unusable] = {on_unusable},
        [WIRE_ID_store_done] = {on_done},
        [WIRE_ID_store_health] = {on_health},
        [WIRE_ID_store_project] = {on_project},
        [WIRE_ID_store_row] = {on_row},
        [WIRE_ID_store_loaded] = {on_loaded},
        [WIRE_ID_store_measure_reply] = {on_measured},
};

static const struct peer_ops peer_ops = {
        .name = "store",
        .from = WIRE_STORE,
        .reply = WIRE_MESSAGE(store_measure_reply),
        .handlers = handlers,
        .on_failure = on_failure,
        .on_refused = subprocess_on_refused,
        .on_closed = subprocess_on_closed,
};

/* ---- life and death ---- */

/* Nobody waits for ever: what is under way is refused; what is needed again will be asked for again. */
static void on_outage(struct ev_loop *ev, struct ev_timer *w, int events)
{
        struct store_link *s = w->data;

        (void)ev;
        (void)events;
        log_error("store-unavailable", "no store for %d ms", OUTAGE_MS);
        set_available(s, false, wire_str("the store's process does not start"));
        finish_through(s, s->last_number, STORE_UNAVAILABLE);
        loop_come_round(s->process.loop);
}

static int greet(struct subprocess *h)
{
        return peer_send(&h->peer, WIRE_MESSAGE(store_open), 0, &container_of(h, struct store_link, process)->setup);
}

/* Its lock on the file has ended with it, so another one can have it. */
static void on_lost(struct subprocess *h)
{
        struct store_link *s = container_of(h, struct store_link, process);

        if (!ev_is_active(&s->outage)) {
                ev_timer_set(&s->outage, loop_seconds(OUTAGE_MS), 0.);
                ev_timer_start(h->loop->ev, &s->outage);
        }
        s->ops->on_lost(s);
}

static const struct subprocess_ops process_ops = {.program = HELPER_STORE, .name = "poppod-store", .lost = "store-lost",
        .peer = &peer_ops, .frame_max = FRAME_MAX, .out_max = OUT_MAX, .greet = greet, .on_lost = on_lost};

int store_link_init(struct store_link *s, struct loop *loop, const struct store_link_setup *setup,
        const struct config_worker *config, const struct store_link_ops *ops)
{
        struct uuid owner = uuid_new();

        *s = (struct store_link){.ops = ops, .path = strdup(setup->path), .available = true};
        list_init(&s->waiting);
        s->unsent = &s->waiting;
        ev_init(&s->outage, on_outage);
        s->outage.data = s;
        subprocess_init(&s->process, loop, setup->starter, config, &process_ops);
        if (!s->path)
                return error_origin(-ENOMEM);
        s->process.start_timeout_ms = OPEN_MS;
        memcpy(s->owner, owner.bytes, sizeof(s->owner));
        WIRE_SET(&s->setup, store_open, engine, 0);
        WIRE_SET(&s->setup, store_open, sync, setup->sync);
        WIRE_SET(&s->setup, store_open, path, wire_str(s->path));
        WIRE_SET(&s->setup, store_open, owner, (struct bytes){s->owner, sizeof(s->owner)});
        WIRE_SET(&s->setup, store_open, log_level, (uint64_t)log_get_level());
        return subprocess_start(&s->process);
}

/* It closes its file when it sees the channel closed. */
static void wait_for_close(const struct store_link *s)
{
        struct pollfd p = {.fd = s->process.pidfd, .events = POLLIN};

        poll(&p, 1, CLOSE_MS);
}

void store_link_fini(struct store_link *s)
{
        if (!s->process.loop)
                return;
        ev_timer_stop(s->process.loop->ev, &s->outage);
        if (s->process.has_peer)
                peer_close(&s->process.peer);
        if (s->process.pid)
                wait_for_close(s);
        subprocess_fini(&s->process);
        free(TAKE_PTR(s->path));
}
