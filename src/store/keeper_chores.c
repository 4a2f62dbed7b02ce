/* Loading, deleting, compacting: in steps that are small beside a commit. */
#include "store/keeper_private.h"

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"

enum { PAGE_BYTES = 256 * 1024, STEP_ROWS = 256 };

static const int64_t EXPIRE_EVERY = 60 * NS_PER_S;

/* ---- loading ---- */

struct page_reader {
        struct store_reader reader;
        struct keeper *keeper;
        size_t n;
        int error;
};

/* One row at least, however large. */
static int send_row(struct store_reader *reader, const struct wire_store_row *row)
{
        struct page_reader *p = container_of(reader, struct page_reader, reader);

        if (p->n++ && buf_size(&p->keeper->channel.out) > PAGE_BYTES)
                return 1;
        p->error = keeper_send(p->keeper, WIRE_MESSAGE(store_row), 0, row);
        return p->error;
}

static int send_setting(struct store_reader *reader, const struct wire_store_project *setting)
{
        struct page_reader *p = container_of(reader, struct page_reader, reader);

        p->error = keeper_send(p->keeper, WIRE_MESSAGE(store_project), 0, setting);
        return p->error;
}

int keeper_send_page(struct keeper *k)
{
        struct page_reader p = {.reader = {.row = send_row, .setting = send_setting}, .keeper = k};
        struct store_page page = {.after = k->load.after, .through = k->load.through};
        struct wire_store_loaded loaded = {0};
        int r = 0;

        if (!k->load_asked || !k->available)
                return 0;
        k->load_asked = false;
        if (!page.after)
                r = k->ops->settings(k->store, &p.reader);
        if (!r && !p.error)
                r = k->ops->load(k->store, &page, &p.reader);
        if (p.error)
                return p.error;
        if (r) {
                /* Not again from the start of the page: what was sent of it is known by its place. */
                k->load_asked = true;
                k->load.after = page.last > page.after ? page.last : page.after;
                return keeper_lose(k, r);
        }
        WIRE_SET(&loaded, store_loaded, after, page.last);
        WIRE_SET(&loaded, store_loaded, more, page.more);
        return keeper_send(k, WIRE_MESSAGE(store_loaded), 0, &loaded);
}

/* ---- deleting ---- */

int keeper_forget_some(struct keeper *k)
{
        int r = 0;

        for (int i = 0; !r && i < STEP_ROWS && k->n_forget; i++) {
                r = k->ops->forget(k->store, k->forget[k->forget_head]);
                k->forget_head = (k->forget_head + 1) % FORGET_MAX;
                k->n_forget--;
        }
        return r;
}

static int expire_some(struct keeper *k)
{
        unsigned int n = 0;
        int r = k->ops->expire(k->store, (uint64_t)clock_wall_ms(), STEP_ROWS, &n);

        if (!r && n < STEP_ROWS)
                k->expire_at = clock_now() + EXPIRE_EVERY;
        return r;
}

static int delete_some(struct keeper *k)
{
        int r = k->ops->begin(k->store);

        if (r)
                return r;
        r = k->n_forget ? keeper_forget_some(k) : expire_some(k);
        if (!r)
                r = k->ops->commit(k->store);
        if (r)
                k->ops->rollback(k->store);
        return r;
}

int keeper_chore(struct keeper *k)
{
        int r = 0;

        if (!k->available || k->ended)
                return 0;
        if (clock_now() >= (k->n_forget ? k->forget_at : k->expire_at))
                r = delete_some(k);
        else if (k->compacting)
                r = k->ops->compact(k->store, &k->compacting);
        return r ? keeper_lose(k, r) : 0;
}

int64_t keeper_next_chore(const struct keeper *k)
{
        if (!k->available)
                return k->probe_at;
        if (k->compacting)
                return 0;
        return k->n_forget ? k->forget_at : k->expire_at;
}
