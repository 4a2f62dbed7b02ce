/* A short table: it is looked through once a task. */
#include "worker/js/worlds.h"

#include "worker/js/arena.h"

#include <stdlib.h>
#include <string.h>

struct world {
        struct arena_image image; /* no bytes: the entry is free */
        struct bytes name, proof; /* copies */
        uint32_t n_proofs;
        int64_t checked_at;
        uint64_t last_use;
};

static struct {
        struct world first, list[WORLDS_MAX];
        struct world *entered; /* what the task in the arena started from */
        bool fresh;            /* it is there as it was kept */
        uint64_t clock;
        size_t bytes;
} worlds;

int worlds_init(void)
{
        int r = arena_keep(&worlds.first.image);

        if (r < 0)
                return r;
        arena_restore(&worlds.first.image);
        arena_count_above(&worlds.first.image);
        worlds.entered = &worlds.first;
        worlds.fresh = true;
        return 0;
}

size_t worlds_first_bytes(void)
{
        return worlds.first.image.len;
}

struct world *worlds_find(struct bytes name)
{
        for (struct world *w = worlds.list; w < worlds.list + WORLDS_MAX; w++)
                if (w->image.bytes && w->name.len == name.len && !memcmp(w->name.data, name.data, name.len))
                        return w;
        return NULL;
}

void worlds_enter(struct world *w)
{
        if (!w)
                w = &worlds.first;
        if (!worlds.fresh || worlds.entered != w)
                arena_restore(&w->image);
        w->last_use = ++worlds.clock;
        worlds.entered = w;
        worlds.fresh = false;
}

void worlds_leave(void)
{
        arena_restore(&worlds.entered->image);
        worlds.fresh = true;
}

void worlds_drop(struct world *w)
{
        worlds.bytes -= w->image.len;
        arena_drop(&w->image);
        free((void *)w->name.data);
        free((void *)w->proof.data);
        *w = (struct world){0};
        if (worlds.entered == w) {
                worlds.entered = &worlds.first;
                worlds.fresh = false;
        }
}

static struct world *find_oldest(void)
{
        struct world *oldest = NULL;

        for (struct world *w = worlds.list; w < worlds.list + WORLDS_MAX; w++)
                if (w->image.bytes && (!oldest || w->last_use < oldest->last_use))
                        oldest = w;
        return oldest;
}

static struct world *find_free(void)
{
        for (struct world *w = worlds.list; w < worlds.list + WORLDS_MAX; w++)
                if (!w->image.bytes)
                        return w;
        return NULL;
}

static struct world *make_room(size_t n)
{
        if (n > WORLDS_BYTES)
                return NULL;
        while (worlds.bytes + n > WORLDS_BYTES || !find_free())
                worlds_drop(find_oldest());
        return find_free();
}

/* For want of memory as for want of room: the module is loaded again the next time. */
void worlds_keep(struct bytes name, struct bytes proof, uint32_t n_proofs, int64_t asked_at)
{
        struct world *w = make_room(arena_extent());

        if (!w)
                return;
        *w = (struct world){.name = bytes_dup(name),
                .proof = bytes_dup(proof),
                .n_proofs = n_proofs,
                .checked_at = asked_at,
                .last_use = ++worlds.clock};
        if (w->name.len != name.len || w->proof.len != proof.len || arena_keep(&w->image) < 0) {
                worlds_drop(w);
                return;
        }
        worlds.bytes += w->image.len;
        worlds.entered = w;
}

int64_t worlds_checked_at(const struct world *w)
{
        return w->checked_at;
}

void worlds_set_checked(struct world *w, int64_t at)
{
        w->checked_at = at;
}

struct bytes worlds_proof(const struct world *w, uint32_t *n)
{
        *n = w->n_proofs;
        return w->proof;
}
