/*
 * The engine that keeps nothing beyond its process: what the other engines are held against in tests, and what a store
 * costs without a disk. Rows stand in the order of their places; a row is never changed but replaced, and what a
 * transaction replaced is kept until its end.
 */
#include "store/engine.h"

#include "base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct row {
        struct wire_store_row wire; /* its bytes are in `data` */
        uint8_t owner[STORE_OWNER];
        uint8_t data[];
};

struct setting {
        char project[129];
        struct bytes settings;
};

/* What stood at this place when the transaction came to it; NULL: nothing. */
struct undo {
        uint64_t place;
        struct row *row;
};

struct memory_store {
        struct store base;
        uint8_t owner[STORE_OWNER];
        struct row **rows;
        size_t n_rows, room;
        struct undo *undo;
        size_t n_undo, undo_room;
        struct setting *settings;
        size_t n_settings;
};

static struct memory_store *memory_of(struct store *s)
{
        return (struct memory_store *)s;
}

static int no_memory(struct memory_store *s)
{
        return store_say(&s->base, STORE_UNAVAILABLE, "no memory");
}

/* Doubles the room of an array when it is full. */
static bool make_room(void **array, size_t n, size_t *room, size_t size)
{
        size_t wanted = *room ? *room * 2 : 64;
        void *grown;

        if (n < *room)
                return true;
        grown = realloc(*array, wanted * size);
        if (!grown)
                return false;
        *array = grown;
        *room = wanted;
        return true;
}

/* The first index whose place is not below. New places are the greatest, so the end is looked at first. */
static size_t index_of(const struct memory_store *s, uint64_t place)
{
        size_t low = 0, high = s->n_rows;

        if (high && s->rows[high - 1]->wire.place < place)
                return high;
        while (low < high) {
                size_t middle = (low + high) / 2;

                if (s->rows[middle]->wire.place < place)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static struct row *find(const struct memory_store *s, uint64_t place)
{
        size_t i = index_of(s, place);

        return i < s->n_rows && s->rows[i]->wire.place == place ? s->rows[i] : NULL;
}

/* ---- rows ---- */

/* A row of its own with copies of all bytes. */
static struct row *copy_row(const struct wire_store_row *from, const uint8_t owner[static STORE_OWNER])
{
        struct wire_store_row w = *from;
        struct bytes *const parts[] = {&w.id, &w.project, &w.options, &w.task, &w.attempts, &w.outcome};
        enum { PARTS = sizeof(parts) / sizeof(parts[0]) };
        size_t total = 0, at = 0;
        struct row *row;

        for (int i = 0; i < PARTS; i++)
                total += parts[i]->len;
        row = malloc(sizeof(*row) + total);
        if (!row)
                return NULL;
        for (int i = 0; i < PARTS; i++) {
                if (parts[i]->len)
                        memcpy(row->data + at, parts[i]->data, parts[i]->len);
                *parts[i] = (struct bytes){row->data + at, parts[i]->len};
                at += parts[i]->len;
        }
        row->wire = w;
        memcpy(row->owner, owner, STORE_OWNER);
        return row;
}

static bool remember(struct memory_store *s, uint64_t place, struct row *row)
{
        if (!make_room((void **)&s->undo, s->n_undo, &s->undo_room, sizeof(*s->undo)))
                return false;
        s->undo[s->n_undo++] = (struct undo){place, row};
        return true;
}

/* Puts a row, or nothing, in the place of what is there; gives that back. */
static struct row *put(struct memory_store *s, uint64_t place, struct row *row)
{
        size_t i = index_of(s, place), tail = s->n_rows - i;
        struct row *old = i < s->n_rows && s->rows[i]->wire.place == place ? s->rows[i] : NULL;

        if (old && row) {
                s->rows[i] = row;
        } else if (old) {
                memmove(&s->rows[i], &s->rows[i + 1], (tail - 1) * sizeof(*s->rows));
                s->n_rows--;
        } else if (row) {
                memmove(&s->rows[i + 1], &s->rows[i], tail * sizeof(*s->rows));
                s->rows[i] = row;
                s->n_rows++;
        }
        return old;
}

/* row NULL: deletes. */
static int replace(struct memory_store *s, uint64_t place, const struct wire_store_row *wire)
{
        struct row *row = wire ? copy_row(wire, s->owner) : NULL;

        if ((wire && !row) || !make_room((void **)&s->rows, s->n_rows, &s->room, sizeof(*s->rows)) ||
                !remember(s, place, NULL)) {
                free(row);
                return no_memory(s);
        }
        s->undo[s->n_undo - 1].row = put(s, place, row);
        return 0;
}

/* ---- the engine ---- */

static int engine_open(const struct store_config *config, struct store **out, struct store_info *info)
{
        struct memory_store *s = calloc(1, sizeof(*s));

        *out = s ? &s->base : NULL;
        if (!s)
                return error_origin(-ENOMEM);
        s->base.ops = &store_memory;
        memcpy(s->owner, config->owner, sizeof(s->owner));
        *info = (struct store_info){.version = 1};
        return 0;
}

static void forget_undo(struct memory_store *s)
{
        for (size_t i = 0; i < s->n_undo; i++)
                free(s->undo[i].row);
        s->n_undo = 0;
}

static void engine_close(struct store *base)
{
        struct memory_store *s = memory_of(base);

        forget_undo(s);
        for (size_t i = 0; i < s->n_rows; i++)
                free(s->rows[i]);
        for (size_t i = 0; i < s->n_settings; i++)
                free((void *)s->settings[i].settings.data);
        free(s->settings);
        free(s->undo);
        free(s->rows);
        free(s);
}

static int nothing_to_do(struct store *base)
{
        (void)base;
        return 0;
}

static int engine_commit(struct store *base)
{
        forget_undo(memory_of(base));
        return 0;
}

/* Settings stay: what was set is what somebody asked for, and nobody is told that it was not kept. */
static void engine_rollback(struct store *base)
{
        struct memory_store *s = memory_of(base);

        while (s->n_undo) {
                struct undo *u = &s->undo[--s->n_undo];

                free(put(s, u->place, u->row));
        }
}

/* ---- changes ---- */

static int engine_accept(struct store *base, const struct wire_store_accept *c)
{
        struct memory_store *s = memory_of(base);
        const struct row *old = find(s, c->place);
        struct wire_store_row row = {0};

        if (old && !memcmp(old->wire.id.data, c->id.data, c->id.len))
                return 0;
        if (old)
                return store_say(base, STORE_STALE, "another task has this place");
        WIRE_SET(&row, store_row, place, c->place);
        WIRE_SET(&row, store_row, id, c->id);
        WIRE_SET(&row, store_row, project, c->project);
        WIRE_SET(&row, store_row, priority, c->priority);
        WIRE_SET(&row, store_row, state, STORE_QUEUED);
        WIRE_SET(&row, store_row, not_before, c->not_before);
        WIRE_SET(&row, store_row, fence, 0);
        WIRE_SET(&row, store_row, ended_at, 0);
        WIRE_SET(&row, store_row, expires_at, 0);
        WIRE_SET(&row, store_row, options, c->options);
        WIRE_SET(&row, store_row, task, c->task);
        return replace(s, c->place, &row);
}

/* 0 and *out: may be changed. Positive: stale. Negative, for want of a better word: it is made already. */
static int claim(struct memory_store *s, uint64_t place, uint64_t fence, unsigned int states, struct wire_store_row *out)
{
        const struct row *row = find(s, place);
        bool mine = row && !memcmp(row->owner, s->owner, STORE_OWNER);

        if (row && (states >> row->wire.state & 1) && (row->wire.fence < fence || (row->wire.fence == fence && mine))) {
                *out = row->wire;
                out->fence = fence;
                return 0;
        }
        if (row && row->wire.fence >= fence && mine)
                return -EALREADY;
        return store_say(&s->base, STORE_STALE, "task %llu is another claim's, or gone", (unsigned long long)place);
}

static int finish(struct memory_store *s, int r, const struct wire_store_row *row)
{
        if (r)
                return r == -EALREADY ? 0 : r;
        return replace(s, row->place, row);
}

enum { OPEN_STATES = 1u << STORE_QUEUED | 1u << STORE_RUNNING };

static int engine_attempt(struct store *base, const struct wire_store_attempt *c)
{
        struct wire_store_row row;
        int r = claim(memory_of(base), c->place, c->fence, OPEN_STATES, &row);

        if (!r) {
                row.state = STORE_RUNNING;
                WIRE_SET(&row, store_row, attempts, c->attempts);
        }
        return finish(memory_of(base), r, &row);
}

static int engine_release(struct store *base, const struct wire_store_release *c)
{
        struct wire_store_row row;
        int r = claim(memory_of(base), c->place, c->fence, OPEN_STATES | 1u << STORE_DEAD, &row);

        if (!r) {
                row.state = STORE_QUEUED;
                row.not_before = c->not_before;
                row.ended_at = row.expires_at = 0;
                WIRE_SET(&row, store_row, attempts, c->attempts);
                row.has &= ~(1u << WIRE_AT_store_row_outcome);
                row.outcome = (struct bytes){0};
                if (WIRE_HAS(c, store_release, outcome))
                        WIRE_SET(&row, store_row, outcome, c->outcome);
        }
        return finish(memory_of(base), r, &row);
}

static int engine_end(struct store *base, const struct wire_store_end *c)
{
        struct wire_store_row row;
        int r = claim(memory_of(base), c->place, c->fence, OPEN_STATES, &row);

        if (!r) {
                row.state = c->state + STORE_SUCCEEDED;
                row.ended_at = c->ended_at;
                row.expires_at = c->expires_at;
                WIRE_SET(&row, store_row, attempts, c->attempts);
                WIRE_SET(&row, store_row, outcome, c->outcome);
                if (row.state != STORE_DEAD) {
                        row.has &= ~(1u << WIRE_AT_store_row_task);
                        row.task = (struct bytes){0};
                }
        }
        return finish(memory_of(base), r, &row);
}

static struct setting *setting_of(struct memory_store *s, struct bytes project)
{
        struct setting *grown;

        for (size_t i = 0; i < s->n_settings; i++)
                if (wire_str_is(project, s->settings[i].project))
                        return &s->settings[i];
        grown = realloc(s->settings, (s->n_settings + 1) * sizeof(*grown));
        if (!grown)
                return NULL;
        s->settings = grown;
        grown[s->n_settings] = (struct setting){0};
        memcpy(grown[s->n_settings].project, project.data, project.len);
        return &grown[s->n_settings++];
}

static int engine_setting(struct store *base, const struct wire_store_setting *c)
{
        struct memory_store *s = memory_of(base);
        struct bytes copy = bytes_dup(c->settings);
        struct setting *setting = copy.data ? setting_of(s, c->project) : NULL;

        if (!setting) {
                free((void *)copy.data);
                return no_memory(s);
        }
        free((void *)setting->settings.data);
        setting->settings = copy;
        return 0;
}

static int engine_forget(struct store *base, uint64_t place)
{
        const struct row *row = find(memory_of(base), place);

        return row && row->wire.state >= STORE_SUCCEEDED ? replace(memory_of(base), place, NULL) : 0;
}

/* The one whose time was over first; NULL: none is over. */
static const struct row *first_over(const struct memory_store *s, uint64_t now_ms)
{
        const struct row *first = NULL;

        for (size_t i = 0; i < s->n_rows; i++) {
                uint64_t at = s->rows[i]->wire.expires_at;

                if (at && at <= now_ms && (!first || at < first->wire.expires_at))
                        first = s->rows[i];
        }
        return first;
}

static int engine_expire(struct store *base, uint64_t now_ms, unsigned int limit, unsigned int *n)
{
        struct memory_store *s = memory_of(base);
        const struct row *row;
        int r = 0;

        for (*n = 0; !r && *n < limit && (row = first_over(s, now_ms)); ++*n)
                r = replace(s, row->wire.place, NULL);
        return r;
}

/* ---- reading ---- */

static int engine_load(struct store *base, struct store_page *page, struct store_reader *reader)
{
        struct memory_store *s = memory_of(base);

        page->last = page->after;
        page->more = false;
        for (size_t i = index_of(s, page->after + 1); i < s->n_rows; i++) {
                if (s->rows[i]->wire.place > page->through)
                        break;
                page->more = reader->row(reader, &s->rows[i]->wire);
                if (page->more)
                        break;
                page->last = s->rows[i]->wire.place;
        }
        return 0;
}

static int engine_settings(struct store *base, struct store_reader *reader)
{
        struct memory_store *s = memory_of(base);
        int r = 0;

        for (size_t i = 0; !r && i < s->n_settings; i++) {
                struct wire_store_project setting = {0};

                WIRE_SET(&setting, store_project, project, wire_str(s->settings[i].project));
                WIRE_SET(&setting, store_project, settings, s->settings[i].settings);
                r = reader->setting(reader, &setting);
        }
        return r;
}

static int engine_compact(struct store *base, bool *more)
{
        (void)base;
        *more = false;
        return 0;
}

static int engine_measure(struct store *base, struct store_figures *out)
{
        const struct memory_store *s = memory_of(base);

        *out = (struct store_figures){0};
        for (size_t i = 0; i < s->n_rows; i++)
                out->bytes += sizeof(struct row) + s->rows[i]->wire.task.len + s->rows[i]->wire.outcome.len;
        return 0;
}

const struct store_ops store_memory = {
        .name = "memory",
        .open = engine_open,
        .close = engine_close,
        .reopen = nothing_to_do,
        .probe = nothing_to_do,
        .begin = nothing_to_do,
        .commit = engine_commit,
        .rollback = engine_rollback,
        .accept = engine_accept,
        .attempt = engine_attempt,
        .release = engine_release,
        .end = engine_end,
        .setting = engine_setting,
        .forget = engine_forget,
        .expire = engine_expire,
        .load = engine_load,
        .settings = engine_settings,
        .compact = engine_compact,
        .measure = engine_measure,
};
