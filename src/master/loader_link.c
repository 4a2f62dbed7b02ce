/* Questions in, answers out. */
#include "master/loader_link.h"

#include "base/error.h"
#include "base/log.h"
#include "wire/pack.h"

#include <errno.h>
#include <string.h>

/* A module and what is around it; and questions: far more than there are workers, and each is small but a
 * check. */
enum {
        FRAME_MAX = 9 * 1024 * 1024,
        OUT_MAX = 64 * 1024 * 1024,
        UNDER_WAY_MAX = 1024,
        ROOTS_BYTES = 1024 * 1024
};

static struct loader_link *of_process(struct subprocess *h)
{
        return container_of(h, struct loader_link, process);
}

static struct loader_link *of_peer(struct peer *p)
{
        return of_process(subprocess_of_peer(p));
}

/* A question's number tells what kind of answer it gets. */
static uint64_t token_for(uint64_t n, const struct wire_message *m)
{
        return n << 1 | (m == WIRE_MESSAGE(check));
}

static const struct wire_message *reply_to(uint64_t token)
{
        return token & 1 ? WIRE_MESSAGE(check_reply) : WIRE_MESSAGE(load_reply);
}

/* ---- askers ---- */

void asker_init(struct asker *a)
{
        *a = (struct asker){0};
        list_init(&a->node);
}

void asker_forget(struct asker *a)
{
        list_unlink(&a->node);
}

/* The answers come in order, so this one is the first, or nobody's any more. */
static struct asker *take_asker(struct loader_link *l, uint64_t token)
{
        struct asker *a = list_first_entry(&l->waiting, struct asker, node);

        if (!a || a->token != token)
                return NULL;
        asker_forget(a);
        return a;
}

/* ---- answers ---- */

/* Whatever does not answer within startTimeout never will: a file system that hangs, most likely. */
static void watch(struct loader_link *l)
{
        struct ev_loop *ev = l->process.loop->ev;

        ev_timer_stop(ev, &l->silence);
        if (!l->under_way)
                return;
        ev_timer_set(&l->silence, loop_seconds(l->process.start_timeout_ms), 0.);
        ev_timer_start(ev, &l->silence);
}

static void on_silence(struct ev_loop *ev, struct ev_timer *w, int events)
{
        struct loader_link *l = w->data;

        (void)ev;
        (void)events;
        peer_drain(&l->process.peer);
        if (!l->under_way || ev_is_active(&l->silence))
                return;
        log_error("loader", "a question was not answered within startTimeout");
        subprocess_kill(&l->process);
}

static int count_answer(struct loader_link *l, uint64_t seq, struct wire_refusal *why)
{
        if (!l->under_way || seq >> 1 > l->questions)
                return wire_refuse(why, WIRE_BAD_FRAME, "an answer to nothing");
        l->under_way--;
        watch(l);
        return 0;
}

static int answer(struct peer *p, uint64_t seq, const struct wire_message *m, const void *body,
        struct wire_refusal *why)
{
        struct loader_link *l = of_peer(p);
        struct asker *a;

        if (count_answer(l, seq, why))
                return 1;
        a = take_asker(l, seq);
        if (a)
                l->ops->on_answer(a, m, body);
        return 0;
}

static int on_load_reply(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        return answer(p, seq, WIRE_MESSAGE(load_reply), &body->load_reply, why);
}

static int on_check_reply(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        return answer(p, seq, WIRE_MESSAGE(check_reply), &body->check_reply, why);
}

static int on_failure(struct peer *p, uint64_t seq, const struct wire_failure *f, struct wire_refusal *why)
{
        struct loader_link *l = of_peer(p);
        struct wire_refusal refusal;
        struct asker *a;

        if (count_answer(l, seq, why))
                return 1;
        a = take_asker(l, seq);
        if (!a)
                return 0;
        wire_refuse(&refusal, WIRE_LOADER_UNAVAILABLE, "the loader says: %.*s",
                (int)(f->message.len < 150 ? f->message.len : 150), (const char *)f->message.data);
        l->ops->on_refused(a, &refusal);
        return 0;
}

static int on_opened(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct loader_link *l = of_peer(p);

        (void)seq;
        if (subprocess_take_layers(&l->process, body->loader_opened.layers, why))
                return 1;
        subprocess_is_ready(&l->process);
        log_info("loader-ready", "loader pid %d", l->process.pid);
        return 0;
}

static const struct peer_handler handlers[WIRE_IDS] = {
        [WIRE_ID_loader_opened] = {on_opened},
        [WIRE_ID_load_reply] = {on_load_reply},
        [WIRE_ID_check_reply] = {on_check_reply},
};

/* ---- life and death ---- */

static int greet(struct subprocess *h)
{
        struct wire_loader_roots body = {0};

        WIRE_SET(&body, loader_roots, roots, buf_bytes(&of_process(h)->roots));
        WIRE_SET(&body, loader_roots, log_level, (uint64_t)log_get_level());
        return peer_send(&h->peer, WIRE_MESSAGE(loader_roots), 0, &body);
}

static void refuse_all(struct loader_link *l, const char *reason)
{
        struct wire_refusal why;
        struct asker *a;

        l->under_way = 0;
        watch(l);
        wire_refuse(&why, WIRE_LOADER_UNAVAILABLE, "%s", reason);
        while ((a = list_first_entry(&l->waiting, struct asker, node))) {
                asker_forget(a);
                l->ops->on_refused(a, &why);
        }
}

static void on_lost(struct subprocess *h)
{
        refuse_all(of_process(h), "the process that reads modules ended, and is being started again");
}

static const struct peer_ops peer_ops = {
        .name = "loader",
        .from = WIRE_LOADER,
        .always_heard = true,
        .reply_to = reply_to,
        .handlers = handlers,
        .on_failure = on_failure,
        .on_refused = subprocess_on_refused,
        .on_closed = subprocess_on_closed,
};

static const struct subprocess_ops process_ops = {
        .program = HELPER_LOADER,
        .name = "loader",
        .lost = "loader-lost",
        .peer = &peer_ops,
        .frame_max = FRAME_MAX,
        .out_max = OUT_MAX,
        .greet = greet,
        .on_lost = on_lost,
};

void loader_link_init(struct loader_link *l, struct loop *loop, struct starter_link *starter,
        const struct config_worker *config, const struct loader_link_ops *ops)
{
        *l = (struct loader_link){.ops = ops};
        list_init(&l->waiting);
        buf_init(&l->roots, ROOTS_BYTES);
        ev_init(&l->silence, on_silence);
        l->silence.data = l;
        if (starter_link_has(starter, HELPER_LOADER))
                subprocess_init(&l->process, loop, starter, config, &process_ops);
}

void loader_link_fini(struct loader_link *l)
{
        if (l->process.loop)
                ev_timer_stop(l->process.loop->ev, &l->silence);
        subprocess_fini(&l->process);
        buf_fini(&l->roots);
}

/* Negative: they could not be written down, and the old ones stay. */
static int take_roots(struct loader_link *l, const struct config_strings *roots, bool *changed)
{
        struct buf next;
        struct pack p;

        buf_init(&next, ROOTS_BYTES);
        pack_init(&p, &next);
        pack_array(&p, roots->n);
        for (size_t i = 0; i < roots->n; i++)
                pack_text(&p, roots->items[i]);
        *changed = buf_size(&next) != buf_size(&l->roots) ||
                   memcmp(buf_head(&next), buf_head(&l->roots), buf_size(&next));
        if (p.error || !*changed) {
                buf_fini(&next);
                return p.error;
        }
        buf_fini(&l->roots);
        l->roots = next;
        return 0;
}

int loader_link_configure(struct loader_link *l, const struct config_strings *roots)
{
        bool changed;
        int r;

        if (!l->process.loop)
                return 0;
        r = take_roots(l, roots, &changed);
        if (r < 0 || !changed)
                return r;
        subprocess_stop(&l->process);
        refuse_all(l, "the roots of modules are being changed");
        if (!roots->n)
                return 0;
        r = subprocess_start(&l->process);
        if (r < 0)
                subprocess_start_later(&l->process);
        return r;
}

bool loader_link_is_wanted(const struct loader_link *l)
{
        return l->process.loop && buf_size(&l->roots) && !l->process.stopping;
}

/* ---- questions ---- */

/* One that only starts is asked already: it reads in order. */
static int refuse_question(const struct loader_link *l, struct wire_refusal *why)
{
        if (!loader_link_is_wanted(l))
                return wire_refuse(why, WIRE_MODULE_NOT_FOUND,
                        "no roots are configured (taskTypes.execute-module.roots)");
        if (l->process.state == SUBPROCESS_DOWN)
                return wire_refuse(why, WIRE_LOADER_UNAVAILABLE,
                        "the process that reads modules is being started again");
        if (l->under_way >= UNDER_WAY_MAX)
                return wire_refuse(
                        why, WIRE_LOADER_UNAVAILABLE, "the process that reads modules is overloaded");
        return 0;
}

int loader_link_ask(struct loader_link *l, struct asker *a, uint64_t seq, const struct wire_message *m,
        const void *body, struct wire_refusal *why)
{
        if (refuse_question(l, why))
                return 1;
        a->token = token_for(l->questions + 1, m);
        if (peer_send(&l->process.peer, m, a->token, body) < 0)
                return wire_refuse(
                        why, WIRE_LOADER_UNAVAILABLE, "the process that reads modules is overloaded");
        l->questions++;
        a->seq = seq;
        list_push_back(&l->waiting, &a->node);
        if (!l->under_way++)
                watch(l);
        return 0;
}
