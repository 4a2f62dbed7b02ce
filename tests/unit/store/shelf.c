#include "shelf.h"

#include "base/list.h"

#include <ftw.h>
#include <inttypes.h>
#include <libgen.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static uint8_t payload[1 << 17]; /* {"": bytes}, of any length from 8 on */
static uint8_t id[16];

void shelf_open(char path[static 128])
{
        const char *base = getenv("TMPDIR");

        snprintf(path, 128, "%s/poppo-store-XXXXXX", base ? base : "/tmp");
        assert_non_null(mkdtemp(path));
        strcat(path, "/store.db");
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        (void)st;
        (void)flag;
        (void)ftw;
        return remove(path);
}

void shelf_remove(const char *path)
{
        char copy[128];

        snprintf(copy, sizeof(copy), "%s", path);
        nftw(dirname(copy), remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

struct store_config shelf_config(const char *path, uint8_t owner)
{
        struct store_config c = {.path = path};

        memset(c.owner, owner, sizeof(c.owner));
        return c;
}

static struct bytes task_of(uint64_t place, size_t bytes)
{
        uint32_t n = (uint32_t)(bytes < 8 ? 1 : bytes - 7);

        memcpy(payload, "\x81\xa0\xc6", 3);
        for (int i = 0; i < 4; i++)
                payload[3 + i] = (uint8_t)(n >> (24 - 8 * i));
        memset(payload + 7, (int)('a' + place % 26), n);
        return (struct bytes){payload, n + 7};
}

struct wire_store_accept shelf_accept(uint64_t place, size_t bytes)
{
        struct wire_store_accept c = {0};

        memset(id, 0, sizeof(id));
        memcpy(id, &place, sizeof(place));
        WIRE_SET(&c, store_accept, number, place);
        WIRE_SET(&c, store_accept, place, place);
        WIRE_SET(&c, store_accept, id, (struct bytes){id, sizeof(id)});
        WIRE_SET(&c, store_accept, project, wire_str(place % 2 ? "odd" : "even"));
        WIRE_SET(&c, store_accept, priority, place % 11);
        WIRE_SET(&c, store_accept, not_before, place % 3 ? 0 : 1000 + place);
        WIRE_SET(&c, store_accept, options, wire_str("\x81\xa1o\x01"));
        WIRE_SET(&c, store_accept, task, task_of(place, bytes));
        return c;
}

struct wire_store_attempt shelf_attempt(uint64_t place, uint64_t fence)
{
        struct wire_store_attempt c = {0};

        WIRE_SET(&c, store_attempt, number, 1);
        WIRE_SET(&c, store_attempt, place, place);
        WIRE_SET(&c, store_attempt, fence, fence);
        WIRE_SET(&c, store_attempt, lease_until, 0);
        WIRE_SET(&c, store_attempt, attempts, wire_str("\x91\x01"));
        return c;
}

struct wire_store_release shelf_release(uint64_t place, uint64_t fence, uint64_t not_before)
{
        struct wire_store_release c = {0};

        WIRE_SET(&c, store_release, number, 1);
        WIRE_SET(&c, store_release, place, place);
        WIRE_SET(&c, store_release, fence, fence);
        WIRE_SET(&c, store_release, not_before, not_before);
        WIRE_SET(&c, store_release, attempts, wire_str("\x91\x02"));
        if (not_before)
                WIRE_SET(&c, store_release, outcome, wire_str("\x81\xa1r\x01"));
        return c;
}

struct wire_store_end shelf_end(uint64_t place, uint64_t fence, uint64_t state, uint64_t expires_at)
{
        struct wire_store_end c = {0};

        WIRE_SET(&c, store_end, number, 1);
        WIRE_SET(&c, store_end, place, place);
        WIRE_SET(&c, store_end, fence, fence);
        WIRE_SET(&c, store_end, state, state);
        WIRE_SET(&c, store_end, ended_at, 7);
        WIRE_SET(&c, store_end, expires_at, expires_at);
        WIRE_SET(&c, store_end, attempts, wire_str("\x91\x03"));
        WIRE_SET(&c, store_end, outcome, wire_str("\x81\xa1v\x2a"));
        return c;
}

/* ---- looking in ---- */

struct describer {
        struct store_reader reader;
        char *text;
        size_t len;
        uint64_t place;
        int state;
};

static uint32_t sum(struct bytes b)
{
        uint32_t h = 2166136261u;

        for (size_t i = 0; i < b.len; i++)
                h = (h ^ b.data[i]) * 16777619u;
        return h;
}

static int describe_row(struct store_reader *r, const struct wire_store_row *w)
{
        struct describer *d = container_of(r, struct describer, reader);

        if (d->place == w->place)
                d->state = (int)w->state;
        if (!d->text)
                return 0;
        assert_true(d->len + 300 < SHELF_TEXT);
        d->len += (size_t)sprintf(d->text + d->len,
                "%" PRIu64 " id %08x %.*s priority %" PRIu64 " state %" PRIu64 " from %" PRIu64 " fence %" PRIu64 " ended %" PRIu64
                " until %" PRIu64 " options %08x task %zu %08x attempts %08x outcome %08x\n",
                w->place, sum(w->id), (int)w->project.len, (const char *)w->project.data, w->priority, w->state, w->not_before,
                w->fence, w->ended_at, w->expires_at, sum(w->options), w->task.len, sum(w->task), sum(w->attempts),
                sum(w->outcome));
        return 0;
}

static int describe_setting(struct store_reader *r, const struct wire_store_project *p)
{
        struct describer *d = container_of(r, struct describer, reader);

        d->len += (size_t)sprintf(d->text + d->len, "project %.*s %08x\n", (int)p->project.len, (const char *)p->project.data,
                sum(p->settings));
        return 0;
}

static void read_all(struct store *s, struct describer *d)
{
        struct store_page page = {.after = 0, .through = INT64_MAX};

        d->reader = (struct store_reader){.row = describe_row, .setting = describe_setting};
        if (d->text)
                assert_int_equal(s->ops->settings(s, &d->reader), 0);
        assert_int_equal(s->ops->load(s, &page, &d->reader), 0);
        assert_false(page.more);
}

void shelf_describe(struct store *s, char text[static SHELF_TEXT])
{
        struct describer d = {.text = text, .state = -1};

        *text = 0;
        read_all(s, &d);
}

int shelf_state(struct store *s, uint64_t place)
{
        struct describer d = {.place = place, .state = -1};

        read_all(s, &d);
        return d.state;
}
