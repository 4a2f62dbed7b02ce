/* Changes from their making to their end. */
#include "master/durable_change.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "master/stored.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- sending ---- */

static int send_accept(struct durable *d, const struct change *c)
{
        struct wire_store_accept body = {0};
        int r = stored_accept(&d->scratch, c->task, &body);

        WIRE_SET(&body, store_accept, number, c->link.number);
        return r ? r : store_link_send(&d->link, WIRE_MESSAGE(store_accept), &body);
}

static int send_attempt(struct durable *d, const struct change *c)
{
        struct wire_store_attempt body = {0};
        int r = stored_attempt(&d->scratch, c->task, &body);

        WIRE_SET(&body, store_attempt, number, c->link.number);
        WIRE_SET(&body, store_attempt, fence, c->fence);
        return r ? r : store_link_send(&d->link, WIRE_MESSAGE(store_attempt), &body);
}

static int send_claim(struct durable *d, const struct change *c)
{
        struct wire_store_attempt body = {0};
        bool began = c->task->claim != CLAIM_ASKED;
        int r = began ? stored_attempt(&d->scratch, c->task, &body) : stored_claim(&d->scratch, c->task, &body);

        WIRE_SET(&body, store_attempt, number, c->link.number);
        WIRE_SET(&body, store_attempt, fence, c->fence);
        return r ? r : store_link_send(&d->link, WIRE_MESSAGE(store_attempt), &body);
}

static int send_release(struct durable *d, const struct change *c)
{
        struct wire_store_release body = {0};
        int r = stored_release(&d->scratch, c->task, &body);

        WIRE_SET(&body, store_release, number, c->link.number);
        WIRE_SET(&body, store_release, fence, c->fence);
        return r ? r : store_link_send(&d->link, WIRE_MESSAGE(store_release), &body);
}

static int send_end(struct durable *d, const struct change *c)
{
        struct wire_store_end body = {0};
        int r = stored_end(&d->scratch, c->task, c->state, &body);

        WIRE_SET(&body, store_end, number, c->link.number);
        WIRE_SET(&body, store_end, fence, c->fence);
        return r ? r : store_link_send(&d->link, WIRE_MESSAGE(store_end), &body);
}

static int send_setting(struct durable *d, const struct change *c)
{
        struct wire_store_setting body = {0};
        struct bytes settings;
        int r = stored_settings(&d->scratch, &c->setting->settings, &settings);

        WIRE_SET(&body, store_setting, number, c->link.number);
        WIRE_SET(&body, store_setting, project, wire_str(c->setting->project));
        WIRE_SET(&body, store_setting, settings, settings);
        return r ? r : store_link_send(&d->link, WIRE_MESSAGE(store_setting), &body);
}

static int (*const senders[])(struct durable *, const struct change *) = {
        [CHANGE_ACCEPT] = send_accept,
        [CHANGE_CLAIM] = send_claim,
        [CHANGE_ATTEMPT] = send_attempt,
        [CHANGE_REVOKE] = send_release,
        [CHANGE_RELEASE] = send_release,
        [CHANGE_END] = send_end,
        [CHANGE_SETTING] = send_setting,
};

static int on_send(struct store_link *l, struct store_change *c)
{
        return senders[change_of(c)->kind](durable_of(l), change_of(c));
}

/* ---- done ---- */

void durable_free_change(struct change *c)
{
        struct list *node;

        while (c->setting && (node = list_first(&c->setting->waiters)))
                waiter_free(list_entry(node, struct waiter, by_task));
        free(c->setting);
        free(c);
}

static void refuse_unavailable(const struct durable *d, struct wire_refusal *why)
{
        const char *reason = *d->link.why ? d->link.why : "it just could not";

        wire_refuse(why, WIRE_STORE_UNAVAILABLE, "the store cannot write: %.120s", reason);
}

/* It was never accepted: nobody knows its id but by a list of what waits. */
static void withdraw(struct durable *d, struct task *t)
{
        struct wire_refusal why;

        refuse_unavailable(d, &why);
        d->ops->on_refused(d, t, true, &why);
        /* Also of a claim that was given back something may be on its way. */
        claims_drop(&d->claims, t);
        durable_disown_claim(d, t);
        scheduler_finish(d->scheduler, t, TASK_CANCELLED, clock_now());
        registry_remove(d->registry, t);
        task_free(t);
}

static bool accept_done(struct durable *d, struct change *c, enum store_outcome outcome)
{
        struct task *t = c->task;

        if (outcome != STORE_KEPT) {
                withdraw(d, t);
                return true;
        }
        scheduler_unhold(d->scheduler, t, clock_now());
        d->ops->on_kept(d, t);
        if (t->cancel_asked) {
                t->cancel_asked = false;
                dispatch_cancel(d->dispatch, t, "cancelled on request");
        }
        return true;
}

static bool attempt_done(struct durable *d, struct change *c, enum store_outcome outcome)
{
        if (outcome == STORE_KEPT)
                dispatch_attempt_kept(d->dispatch, c->task, c->fence);
        else
                dispatch_attempt_refused(d->dispatch, c->task, c->fence, outcome == STORE_STALE);
        return true;
}

static bool release_done(struct durable *d, struct change *c, enum store_outcome outcome)
{
        struct wire_refusal why;

        if (outcome != STORE_UNAVAILABLE) {
                d->ops->on_kept(d, c->task);
                return true;
        }
        refuse_unavailable(d, &why);
        d->ops->on_refused(d, c->task, false, &why);
        return false;
}

static bool end_done(struct durable *d, struct change *c, enum store_outcome outcome)
{
        if (outcome == STORE_UNAVAILABLE)
                return false;
        dispatch_end_kept(d->dispatch, c->task, c->state);
        return true;
}

static bool setting_done(struct durable *d, struct change *c, enum store_outcome outcome)
{
        struct wire_refusal why;
        struct project *project;
        struct list *node = list_first(&c->setting->waiters);
        bool kept = outcome == STORE_KEPT;

        if (kept && !scheduler_project(d->scheduler, wire_str(c->setting->project), &project, &why))
                scheduler_project_set(d->scheduler, project, &c->setting->settings, clock_now());
        if (!node)
                return true;
        if (kept)
                project = scheduler_project_find(d->scheduler, wire_str(c->setting->project));
        refuse_unavailable(d, &why);
        d->ops->on_setting(d, kept ? project : NULL, list_entry(node, struct waiter, by_task), kept ? NULL : &why);
        return true;
}

/* False: the change has to be made all the same, and is kept for later. */
static bool (*const dones[])(struct durable *, struct change *, enum store_outcome) = {
        [CHANGE_ACCEPT] = accept_done,
        [CHANGE_CLAIM] = durable_claim_done,
        [CHANGE_ATTEMPT] = attempt_done,
        [CHANGE_REVOKE] = durable_revoke_done,
        [CHANGE_RELEASE] = release_done,
        [CHANGE_END] = end_done,
        [CHANGE_SETTING] = setting_done,
};

static void on_done(struct store_link *l, struct store_change *sc, enum store_outcome outcome)
{
        struct durable *d = durable_of(l);
        struct change *c = change_of(sc);

        if (outcome == STORE_STALE)
                log_error("store-stale", "change %llu of a kept task was refused: another claim is newer",
                        (unsigned long long)sc->number);
        if (dones[c->kind](d, c, outcome))
                durable_free_change(c);
        else
                list_push_back(&d->parked, &sc->node);
}

/* ---- making ---- */

struct change *durable_change(enum change_kind kind, struct task *t)
{
        struct change *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        c->kind = kind;
        c->task = t;
        c->fence = t ? t->generation : 0;
        list_init(&c->link.node);
        return c;
}

static void push(struct durable *d, struct change *c)
{
        store_link_push(&d->link, &c->link);
}

/* For what has happened already. Without memory for a few bytes the supervisor cannot keep its promise, and ends rather than
 * break it: what is on disk is whole, and the next start goes on from there. */
static struct change *must_have(struct change *c)
{
        if (!c) {
                log_error("store", "no memory to keep what happened");
                abort();
        }
        return c;
}

int durable_check(const struct durable *d, struct wire_refusal *why)
{
        if (d->link.available)
                return 0;
        refuse_unavailable(d, why);
        return 1;
}

void durable_mark(struct durable *d, struct task *t)
{
        t->place = ++d->last_place;
        t->held = true;
}

int durable_accept(struct durable *d, struct task *t)
{
        struct change *c = durable_change(CHANGE_ACCEPT, t);

        if (!c)
                return error_origin(-ENOMEM);
        push(d, c);
        durable_claim_accepted(d, t);
        return 0;
}

void durable_attempt(struct durable *d, struct task *t)
{
        bool kept = t->claim == CLAIM_KEPT;

        if (!kept)
                claims_drop(&d->claims, t);
        if (!kept || !claims_begin(&d->claims, t, clock_now()))
                push(d, must_have(durable_change(CHANGE_ATTEMPT, t)));
        if (kept)
                dispatch_attempt_kept(d->dispatch, t, t->generation);
}

void durable_release(struct durable *d, struct task *t)
{
        claims_drop(&d->claims, t);
        push(d, must_have(durable_change(CHANGE_RELEASE, t)));
}

void durable_end(struct durable *d, struct task *t, enum task_state state)
{
        struct change *c = must_have(durable_change(CHANGE_END, t));

        c->state = state;
        claims_drop(&d->claims, t);
        push(d, c);
}

int durable_setting(struct durable *d, struct session *session, const struct project *p,
        const struct project_settings *settings, const struct waiter *call)
{
        struct change *c = durable_change(CHANGE_SETTING, NULL);

        if (c)
                c->setting = calloc(1, sizeof(*c->setting));
        if (!c || !c->setting) {
                free(c);
                return error_origin(-ENOMEM);
        }
        c->setting->settings = *settings;
        snprintf(c->setting->project, sizeof(c->setting->project), "%s", p->name);
        list_init(&c->setting->waiters);
        if (waiter_hang(session, NULL, &c->setting->waiters, call) < 0) {
                durable_free_change(c);
                return error_origin(-ENOMEM);
        }
        push(d, c);
        return 0;
}

void durable_forget(struct durable *d, const struct task *t)
{
        struct wire_store_forget body = {0};

        if (!d->on || !t->place)
                return;
        WIRE_SET(&body, store_forget, place, t->place);
        store_link_send(&d->link, WIRE_MESSAGE(store_forget), &body);
}

/* ---- the store's state ---- */

static void on_health(struct store_link *l)
{
        struct durable *d = durable_of(l);
        struct list again, *node;

        scheduler_hold_kept(d->scheduler, !l->available, clock_now());
        if (!l->available)
                return d->ops->on_loaded(d);
        list_init(&again);
        while ((node = list_first(&d->parked))) {
                list_unlink(node);
                list_push_back(&again, node);
        }
        while ((node = list_first(&again))) {
                list_unlink(node);
                store_link_push(l, list_entry(node, struct store_change, node));
        }
}

static void on_opened(struct store_link *l, const struct wire_store_opened *opened)
{
        struct durable *d = durable_of(l);

        if (!d->opened) {
                d->opened = true;
                d->load_started = clock_now();
                d->load_through = opened->last_place;
                if (d->last_place < opened->last_place)
                        d->last_place = opened->last_place;
        }
        if (d->loading)
                durable_load_on(d);
        if (l->was_open)
                return;
        d->ops->on_opened(d);
        d->ops->on_loaded(d);
}

static void on_unusable(struct store_link *l, const struct wire_store_unusable *body)
{
        struct durable *d = durable_of(l);

        if (!l->was_open)
                d->ops->on_unusable(d, body);
}

static void on_measured(struct store_link *l, const struct wire_store_measure_reply *reply)
{
        durable_of(l)->ops->on_measured(durable_of(l), reply);
}

static void on_lost(struct store_link *l)
{
        durable_of(l)->ops->on_measured(durable_of(l), NULL);
}

static const struct store_link_ops link_ops = {
        .on_opened = on_opened,
        .send = on_send,
        .on_done = on_done,
        .on_health = on_health,
        .on_lost = on_lost,
        .on_project = durable_on_project,
        .on_row = durable_on_row,
        .on_loaded = durable_on_loaded,
        .on_measured = on_measured,
        .on_unusable = on_unusable,
};

int durable_start(struct durable *d, struct loop *loop, const struct durable_setup *setup,
        const struct store_link_setup *store, const struct config_worker *config)
{
        *d = (struct durable){.on = true, .loading = true, .scheduler = setup->scheduler, .registry = setup->registry,
                .dispatch = setup->dispatch, .pool = setup->pool, .types = setup->types, .ops = setup->ops};
        list_init(&d->parked);
        buf_init(&d->scratch, 0);
        claims_init(&d->claims);
        loop_alarm_init(&d->claims_due);
        return store_link_init(&d->link, loop, store, config, &link_ops);
}

static void free_all(struct list *changes)
{
        struct list *node;

        while ((node = list_first(changes))) {
                list_unlink(node);
                durable_free_change(change_of(list_entry(node, struct store_change, node)));
        }
}

void durable_fini(struct durable *d)
{
        if (!d->on)
                return;
        if (d->link.process.loop)
                ev_timer_stop(d->link.process.loop->ev, &d->claims_due);
        store_link_fini(&d->link);
        if (d->link.waiting.next)
                free_all(&d->link.waiting);
        free_all(&d->parked);
        buf_fini(&d->scratch);
        durable_free_unknown(d);
}
