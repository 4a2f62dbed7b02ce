/* The scheduler's projects: found by name, made at first use, forgotten when nobody would miss them. */
#include "base/error.h"
#include "master/scheduler_private.h"

#include <errno.h>
#include <string.h>

static struct project *from_name(struct map_node *node)
{
        return container_of(node, struct project, by_name);
}

struct project *scheduler_project_find(const struct scheduler *s, struct bytes name)
{
        struct map_node *node = map_first(&s->projects, map_hash(name.data, name.len));

        for (; node; node = map_next(node)) {
                struct project *p = from_name(node);

                if (p->name_len == name.len && !memcmp(p->name, name.data, name.len))
                        return p;
        }
        return NULL;
}

struct project *scheduler_project_next(const struct scheduler *s, const struct project *after)
{
        struct map_node *at = after ? (struct map_node *)&after->by_name : NULL,
                        *node = map_iterate(&s->projects, at);

        return node ? from_name(node) : NULL;
}

static void forget(struct scheduler *s, struct project *p)
{
        order_forget(s, p);
        heap_remove(&s->rate_wait, &p->rate_wait);
        map_remove(&s->projects, &p->by_name);
        project_free(p);
}

static void forget_oldest(struct scheduler *s)
{
        struct project *p = list_first_entry(&s->forgettable, struct project, node);

        list_unlink(&p->node);
        s->n_forgettable--;
        forget(s, p);
}

/* Into the list of those that nobody would miss, or out of it. */
static void judge(struct scheduler *s, struct project *p)
{
        bool listed = !list_empty(&p->node), wanted = p->refs || p->configured;

        if (listed == !wanted)
                return;
        if (listed) {
                list_unlink(&p->node);
                s->n_forgettable--;
                return;
        }
        list_push_back(&s->forgettable, &p->node);
        if (++s->n_forgettable > SCHEDULER_FORGETTABLE_MAX)
                forget_oldest(s);
}

void project_ref(struct scheduler *s, struct project *p)
{
        p->refs++;
        judge(s, p);
}

void project_unref(struct scheduler *s, struct project *p)
{
        p->refs--;
        judge(s, p);
}

static int make(struct scheduler *s, struct bytes name, struct project **out)
{
        struct project *p = project_new(name, &s->config.defaults);
        int r;

        if (!p)
                return error_origin(-ENOMEM);
        r = heap_reserve(&s->rate_wait, s->projects.n_nodes + 1);
        if (!r)
                r = map_insert(&s->projects, &p->by_name, map_hash(name.data, name.len));
        if (r) {
                project_free(p);
                return r;
        }
        judge(s, p);
        *out = p;
        return 0;
}

int scheduler_project(struct scheduler *s, struct bytes name, struct project **out, struct wire_refusal *why)
{
        struct project *found = scheduler_project_find(s, name);

        if (found) {
                *out = found;
                return 0;
        }
        if (!project_name_valid(name))
                return wire_refuse(why, WIRE_INVALID_OPTION,
                        "projectId must be 1 to %d of letters, digits and . _ - : /", PROJECT_NAME_MAX);
        if (s->projects.n_nodes >= SCHEDULER_PROJECTS_MAX) {
                if (!s->n_forgettable)
                        return wire_refuse(why, WIRE_QUEUE_FULL,
                                "%d projects have tasks or limits; no room for another",
                                SCHEDULER_PROJECTS_MAX);
                forget_oldest(s);
        }
        return make(s, name, out);
}

static void apply(
        struct scheduler *s, struct project *p, const struct project_settings *settings, int64_t now)
{
        project_apply(p, settings, now);
        order_place_all(s, p, now);
}

void scheduler_project_set(
        struct scheduler *s, struct project *p, const struct project_settings *settings, int64_t now)
{
        p->configured = settings != NULL;
        apply(s, p, settings ? settings : &s->config.defaults, now);
        judge(s, p);
}

void scheduler_configure(struct scheduler *s, const struct scheduler_config *config, int64_t now)
{
        s->config = *config;
        for (struct project *p = scheduler_project_next(s, NULL); p; p = scheduler_project_next(s, p)) {
                struct project_settings own = p->settings;

                apply(s, p, p->configured ? &own : &config->defaults, now);
        }
}

void projects_fini(struct scheduler *s)
{
        struct project *p;

        while ((p = scheduler_project_next(s, NULL)))
                forget(s, p);
        map_fini(&s->projects);
}
