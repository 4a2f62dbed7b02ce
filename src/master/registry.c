/* Finding tasks, and letting go of old ones. */
#include "master/registry.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

enum { EXPIRE_AT_ONCE = 1000 };

static int64_t expires_at(const struct task *t)
{
        return t->since + t->result_ttl;
}

static bool expires_before(const struct heap_node *a, const struct heap_node *b)
{
        return expires_at(container_of(a, const struct task, timer)) < expires_at(container_of(b, const struct task, timer));
}

void registry_init(struct registry *r, struct scheduler *scheduler)
{
        *r = (struct registry){.scheduler = scheduler, .first = uuid_new()};
        heap_init(&r->expiry, expires_before);
        map_init(&r->by_id);
        map_init(&r->by_key);
        list_init(&r->by_age);
        r->restored = &r->by_age;
}

void registry_fini(struct registry *r)
{
        if (!r->scheduler)
                return;
        list_for_each_safe(node, &r->by_age) {
                struct task *t = list_entry(node, struct task, by_age);

                if (task_ended(t))
                        heap_remove(&r->expiry, &t->timer);
                else
                        scheduler_finish(r->scheduler, t, TASK_CANCELLED, t->since);
                scheduler_release(r->scheduler, t);
                task_free(t);
        }
        heap_fini(&r->expiry);
        map_fini(&r->by_id);
        map_fini(&r->by_key);
}

static uint64_t key_hash(struct bytes project, struct bytes key)
{
        return map_hash(project.data, project.len) * 31 + map_hash(key.data, key.len);
}

static struct bytes project_of(const struct task *t)
{
        return (struct bytes){(const uint8_t *)t->project->name, t->project->name_len};
}

static bool has_key(const struct task *t)
{
        return t->extra && t->extra->key.len;
}

int registry_add(struct registry *r, struct task *t)
{
        int err = heap_reserve(&r->expiry, r->n_tasks + 1);

        if (!err)
                err = map_insert(&r->by_id, &t->by_id, map_hash(t->id.bytes, sizeof(t->id.bytes)));
        if (err < 0)
                return err;
        if (has_key(t)) {
                err = map_insert(&r->by_key, &t->extra->by_key, key_hash(project_of(t), t->extra->key));
                if (err < 0) {
                        map_remove(&r->by_id, &t->by_id);
                        return err;
                }
        }
        if (t->restored) {
                list_insert_after(r->restored, &t->by_age);
                r->restored = &t->by_age;
        } else {
                list_push_back(&r->by_age, &t->by_age);
        }
        r->n_tasks++;
        return 0;
}

struct task *registry_find(const struct registry *r, const struct uuid *id)
{
        uint64_t hash = map_hash(id->bytes, sizeof(id->bytes));

        for (struct map_node *n = map_first(&r->by_id, hash); n; n = map_next(n)) {
                struct task *t = container_of(n, struct task, by_id);

                if (!memcmp(&t->id, id, sizeof(*id)))
                        return t;
        }
        return NULL;
}

enum registry_absence registry_absence(const struct registry *r, const struct uuid *id)
{
        bool is_ours = id->bytes[6] >> 4 == 7; /* the version */

        if (is_ours && memcmp(id, &r->first, sizeof(*id)) < 0)
                return REGISTRY_BEFORE_START;
        return is_ours && memcmp(id, &r->last_gone, sizeof(*id)) <= 0 ? REGISTRY_LET_GO : REGISTRY_UNKNOWN;
}

static bool same(struct bytes a, struct bytes b)
{
        return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

struct task *registry_find_key(const struct registry *r, struct bytes project, struct bytes key)
{
        for (struct map_node *n = map_first(&r->by_key, key_hash(project, key)); n; n = map_next(n)) {
                struct task_extra *extra = container_of(n, struct task_extra, by_key);

                if (same(extra->key, key) && same(project_of(extra->task), project))
                        return extra->task;
        }
        return NULL;
}

static uint64_t kept_size(const struct task *t)
{
        const struct task_outcome *o = t->outcome;

        return sizeof(*t) + t->payload.len + t->n_attempts * sizeof(*t->attempts) +
               (o ? sizeof(*o) + o->value.len + o->error.len + o->logs.len : 0) +
               (t->extra ? sizeof(*t->extra) + t->extra->key.len + t->extra->meta.len : 0);
}

/* Ended tasks go in the order of their ends, and their places in the map are spread all over it. */
static void fetch_ahead(const struct registry *r, const struct task *t)
{
        const struct list *ended = &r->scheduler->ended, *next = t->node.next, *second = next->next;

        if (next == ended)
                return;
        map_prefetch_chain(&r->by_id, list_entry(next, const struct task, node)->by_id.hash);
        if (second != ended)
                map_prefetch_bucket(&r->by_id, list_entry(second, const struct task, node)->by_id.hash);
}

void registry_remove(struct registry *r, struct task *t)
{
        map_remove(&r->by_id, &t->by_id);
        if (has_key(t))
                map_remove(&r->by_key, &t->extra->by_key);
        if (r->restored == &t->by_age)
                r->restored = t->by_age.prev;
        list_unlink(&t->by_age);
        r->n_tasks--;
        scheduler_release(r->scheduler, t);
}

static void let_go(struct registry *r, struct task *t)
{
        fetch_ahead(r, t);
        r->kept_bytes -= kept_size(t);
        if (memcmp(&t->id, &r->last_gone, sizeof(t->id)) > 0)
                r->last_gone = t->id;
        heap_remove(&r->expiry, &t->timer);
        registry_remove(r, t);
        if (r->on_let_go)
                r->on_let_go(r, t);
        task_free(t);
}

static struct task *oldest_end(struct registry *r)
{
        return list_first_entry(&r->scheduler->ended, struct task, node);
}

void registry_set_budget(struct registry *r, uint64_t kept_bytes_max)
{
        struct task *t;

        r->kept_bytes_max = kept_bytes_max;
        while (kept_bytes_max && r->kept_bytes > kept_bytes_max && (t = oldest_end(r)))
                let_go(r, t);
}

void registry_keep(struct registry *r, struct task *t)
{
        r->kept_bytes += kept_size(t);
        if (t->result_ttl)
                heap_insert(&r->expiry, &t->timer);
        registry_set_budget(r, r->kept_bytes_max);
}

void registry_unkeep(struct registry *r, struct task *t)
{
        r->kept_bytes -= kept_size(t);
        heap_remove(&r->expiry, &t->timer);
}

int64_t registry_expire(struct registry *r, int64_t now)
{
        struct heap_node *node;

        for (int i = 0; i < EXPIRE_AT_ONCE && (node = heap_top(&r->expiry)); i++) {
                struct task *t = container_of(node, struct task, timer);

                if (expires_at(t) > now)
                        return expires_at(t);
                let_go(r, t);
        }
        return heap_top(&r->expiry) ? now : INT64_MAX;
}
