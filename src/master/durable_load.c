/* What comes back at the start: settings, tasks that wait, tasks that were running, records. */
#include "master/durable_change.h"

#include "base/clock.h"
#include "base/log.h"
#include "master/stored.h"
#include "master/task_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A type that kept tasks have and the configuration no longer. Records name it; nothing of it runs. */
struct unknown_type {
        struct unknown_type *next;
        struct task_type type;
};

void durable_load_on(struct durable *d)
{
        struct wire_store_load load = {0};

        WIRE_SET(&load, store_load, after, d->loaded);
        WIRE_SET(&load, store_load, through, d->load_through);
        store_link_send(&d->link, WIRE_MESSAGE(store_load), &load);
}

void durable_on_project(struct store_link *l, const struct wire_store_project *row)
{
        struct durable *d = durable_of(l);
        struct project_settings settings;
        struct wire_refusal why;
        struct project *p;

        if (!d->loading)
                return;
        if (scheduler_project(d->scheduler, row->project, &p, &why))
                return log_error("store", "the settings of a project are lost: %s", why.message);
        settings = p->settings;
        if (stored_read_settings(row->settings, &settings))
                return log_error("store", "the settings of project %s make no sense", p->name);
        scheduler_project_set(d->scheduler, p, &settings, clock_now());
}

static const struct task_type *type_named(struct durable *d, struct bytes name)
{
        const struct task_type *known = task_types_find(d->types, name);
        struct unknown_type *u;

        if (known)
                return known;
        for (u = d->unknown; u; u = u->next)
                if (wire_str_is(name, u->type.name))
                        return &u->type;
        u = calloc(1, sizeof(*u));
        if (!u)
                return NULL;
        snprintf(u->type.name, sizeof(u->type.name), "%.*s", (int)name.len, (const char *)name.data);
        u->type.class = CLASS_JS;
        u->type.withdrawn = true;
        u->next = d->unknown;
        d->unknown = u;
        return &u->type;
}

void durable_free_unknown(struct durable *d)
{
        while (d->unknown) {
                struct unknown_type *u = d->unknown;

                d->unknown = u->next;
                free(u);
        }
}

/* An end that a waiting task gets as it comes back. */
struct verdict_at_load {
        enum task_state state;
        enum wire_code code;
        const char *message;
};

static bool must_end(struct durable *d, struct task *t, const struct stored_more *more, struct verdict_at_load *v)
{
        static struct wire_refusal why;
        const struct task_type *type;

        if (task_type_of(d->types, t->payload, &type, &why)) {
                *v = (struct verdict_at_load){TASK_FAILED, why.code, why.message};
                return true;
        }
        t->quarantined = t->kills >= QUARANTINE_KILLS;
        if (!more->lost || t->quarantined || t->n_attempts < t->max_attempts)
                return false;
        *v = (struct verdict_at_load){t->max_attempts > 1 ? TASK_DEAD : TASK_FAILED, WIRE_WORKER_CRASHED,
                "the supervisor ended while the last attempt ran"};
        return true;
}

static int take_waiting(struct durable *d, struct task *t, const struct stored_more *more)
{
        struct verdict_at_load v;
        bool ends = must_end(d, t, more, &v);
        int r;

        t->held = ends;
        r = scheduler_restore(d->scheduler, t, clock_now());
        if (r)
                return r;
        r = registry_add(d->registry, t);
        if (r < 0) {
                scheduler_finish(d->scheduler, t, TASK_CANCELLED, clock_now());
                scheduler_release(d->scheduler, t);
                return r;
        }
        d->n_lost += more->lost;
        if (ends)
                dispatch_end_unrun(d->dispatch, t, v.state, v.code, v.message);
        return 0;
}

static int take_ended(struct durable *d, struct task *t, const struct wire_store_row *row)
{
        int64_t since = clock_now() - (clock_wall_ms() - (int64_t)row->ended_at) * NS_PER_MS;
        int r = scheduler_restore_ended(d->scheduler, t, (enum task_state)(row->state - 2 + TASK_SUCCEEDED), since);

        if (r)
                return r;
        r = registry_add(d->registry, t);
        if (r < 0)
                scheduler_release(d->scheduler, t);
        else
                registry_keep(d->registry, t);
        return r;
}

static int take_row(struct durable *d, const struct wire_store_row *row)
{
        struct wire_refusal why;
        struct stored_more more;
        struct project *project;
        struct task *t = NULL;
        int r = stored_task(row, &t, &more);

        if (r)
                return r;
        t->type = type_named(d, more.type);
        r = t->type ? scheduler_project(d->scheduler, more.project, &project, &why) : -1;
        if (!r) {
                t->class = t->type->class;
                t->project = project;
                if (t->outcome && more.isolation.len)
                        t->outcome->isolation = pool_intern_layers(d->pool, more.isolation);
                r = row->state < 2 ? take_waiting(d, t, &more) : take_ended(d, t, row);
        }
        if (r)
                task_free(t);
        return r;
}

/* A row that a page before brought comes again when the store was replaced meanwhile. */
void durable_on_row(struct store_link *l, const struct wire_store_row *row)
{
        struct durable *d = durable_of(l);

        if (!d->loading || row->place <= d->loaded)
                return;
        d->loaded = row->place;
        if (take_row(d, row))
                return log_error("store", "task %llu could not be taken back; it stays in the file",
                        (unsigned long long)row->place);
        d->n_restored++;
}

void durable_on_loaded(struct store_link *l, const struct wire_store_loaded *page)
{
        struct durable *d = durable_of(l);

        if (!d->loading)
                return;
        if (page->after > d->loaded)
                d->loaded = page->after;
        if (page->more)
                return durable_load_on(d);
        d->loading = false;
        log_info("store-loaded", "%llu tasks came back in %lld ms, %llu of them had been running",
                (unsigned long long)d->n_restored, (long long)((clock_now() - d->load_started) / NS_PER_MS),
                (unsigned long long)d->n_lost);
        d->ops->on_loaded(d);
}
