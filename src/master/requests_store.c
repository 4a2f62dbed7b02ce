/* The ops about the store: store-stats, store-compact; and its part of status. */
#include "master/requests.h"

#include "master/session.h"
#include "master/supervisor.h"
#include "wire/pack.h"

void request_write_store(struct pack *p, const struct supervisor *s)
{
        const struct store_link *l = &s->durable.link;
        bool on = s->durable.on, why = on && *l->why;

        pack_map(p, on ? 6u + (l->process.pid != 0) + why : 2u);
        pack_entry_text(p, "engine", on ? "sqlite" : "memory");
        pack_entry_text(p, "state", on ? store_link_state_name(l) : "off");
        if (!on)
                return;
        if (l->process.pid)
                pack_entry_int(p, "pid", l->process.pid);
        pack_entry_text(p, "path", l->path);
        if (why)
                pack_entry_text(p, "reason", l->why);
        pack_entry_uint(p, "restarts", l->process.restarts);
        pack_entry_uint(p, "waiting", l->n_waiting);
        pack_entry_bool(p, "loading", s->durable.loading);
}

static void write_figures(struct pack *p, const struct wire_store_measure_reply *f)
{
        pack_map(p, 9);
        pack_entry_uint(p, "bytes", f->bytes);
        pack_entry_uint(p, "freeBytes", f->free_bytes);
        pack_entry_uint(p, "logBytes", f->log_bytes);
        pack_entry_uint(p, "commits", f->commits);
        pack_entry_uint(p, "changes", f->changes);
        pack_entry_uint(p, "refused", f->refused);
        pack_entry_uint(p, "largest", f->largest);
        pack_entry_uint(p, "commitUs", f->commit_us);
        pack_entry_bool(p, "compacting", f->compacting);
}

static void reply_stats(struct session *session, uint64_t seq, const struct wire_store_measure_reply *figures)
{
        struct supervisor *s = session->supervisor;
        struct wire_store_stats_reply reply = {0};
        struct pack pack;
        size_t split;

        buf_consume(&s->scratch, buf_size(&s->scratch));
        pack_init(&pack, &s->scratch);
        request_write_store(&pack, s);
        split = buf_size(&s->scratch);
        if (figures)
                write_figures(&pack, figures);
        if (pack.error)
                return peer_give_up(&session->peer, "no memory for a reply");
        WIRE_SET(&reply, store_stats_reply, store, (struct bytes){buf_head(&s->scratch), split});
        if (figures)
                WIRE_SET(&reply, store_stats_reply, figures,
                        (struct bytes){buf_head(&s->scratch) + split, buf_size(&s->scratch) - split});
        session_reply(session, WIRE_MESSAGE(store_stats_reply), seq, &reply);
}

/* Without a store that answers, what the supervisor knows itself. */
int request_store_stats(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct waiter call = {.seq = seq, .kind = WAITER_MEASURED};
        struct session *session = session_of(p);
        struct supervisor *s = session->supervisor;
        int r;

        (void)body;
        if (!s->durable.on || !store_link_is_open(&s->durable.link)) {
                reply_stats(session, seq, NULL);
                return 0;
        }
        r = request_room_to_wait(session, 0, false, why);
        if (!r)
                r = waiter_hang(session, NULL, &s->store_askers, &call);
        if (!r)
                r = store_link_measure(&s->durable.link, 0);
        return request_no_memory(r, why);
}

/* Everybody who asked meanwhile gets this answer: it is the newest there is. NULL: the store is gone. */
void request_store_measured(struct supervisor *s, const struct wire_store_measure_reply *figures)
{
        struct list *node;

        while ((node = list_first(&s->store_askers))) {
                struct waiter call = *list_entry(node, struct waiter, by_task);

                waiter_free(list_entry(node, struct waiter, by_task));
                reply_stats(call.session, call.seq, figures);
        }
}

int request_store_compact(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct session *session = session_of(p);
        struct durable *d = &session->supervisor->durable;
        struct wire_store_compact_reply reply = {0};
        struct wire_store_shrink shrink = {0};
        int r;

        (void)body;
        if (!d->on)
                return wire_refuse(why, WIRE_INVALID_OPTION, "tasks are kept in memory only: there is no file");
        r = durable_check(d, why);
        if (!r && store_link_send(&d->link, WIRE_MESSAGE(store_shrink), &shrink) < 0)
                r = wire_refuse(why, WIRE_STORE_UNAVAILABLE, "the store is being started");
        if (r)
                return r;
        WIRE_SET(&reply, store_compact_reply, message, wire_str("Unused pages are being given back, bit by bit"));
        session_reply(session, WIRE_MESSAGE(store_compact_reply), seq, &reply);
        return 0;
}
