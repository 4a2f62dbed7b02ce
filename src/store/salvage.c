/*
 * From both ends towards the middle: rows are taken upwards until one cannot be read, then downwards from the last; what is
 * left between is halved, and so on. A page that is damaged costs the rows on it and no others.
 */
#include "store/salvage.h"

#include <limits.h>

enum { PROBES = 20000 };

static const char upwards[] = "SELECT place FROM task WHERE place >= ?1 AND place <= ?2 ORDER BY place";
static const char downwards[] = "SELECT place FROM task WHERE place >= ?1 AND place <= ?2 ORDER BY place DESC";

/* The row of one place; a row that can't be read is none. */
static int take_one(struct salvage *s, uint64_t place)
{
        struct store_page page = {.after = place - 1, .through = place};
        uint64_t before = page.after;
        int r = sqlite_load(&s->store->base, &page, s->reader);

        if (r || page.last == before)
                return page.more;
        s->found++;
        return 0;
}

/* Walks until there is an end or an error; *last is the last place seen. Positive: an error; negative: the reader's. */
static int walk(struct salvage *s, const char *sql, uint64_t low, uint64_t high, uint64_t *last)
{
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v2(s->store->db, sql, -1, &stmt, NULL), r = 0;

        sqlite3_bind_int64(stmt, 1, (sqlite3_int64)low);
        sqlite3_bind_int64(stmt, 2, (sqlite3_int64)high);
        while (!rc && !r && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
                *last = (uint64_t)sqlite3_column_int64(stmt, 0);
                r = take_one(s, *last) ? -1 : 0;
                rc = SQLITE_OK;
        }
        sqlite3_finalize(stmt);
        return r ? r : rc != SQLITE_DONE;
}

static int salvage_between(struct salvage *s, uint64_t low, uint64_t high)
{
        uint64_t bottom = low ? low - 1 : 0, top = high, middle;
        int r;

        if (low > high || !s->budget--)
                return 0;
        r = walk(s, upwards, low, high, &bottom);
        if (r <= 0)
                return r;
        top = high < INT64_MAX ? high + 1 : INT64_MAX;
        r = walk(s, downwards, bottom + 1, high, &top);
        if (r <= 0)
                return r;
        if (top - bottom <= 2) {
                s->holes++;
                return 0;
        }
        middle = bottom + (top - bottom) / 2;
        r = salvage_between(s, bottom + 1, middle);
        return r ? r : salvage_between(s, middle + 1, top - 1);
}

int salvage_rows(struct salvage *s)
{
        uint64_t high = INT64_MAX, low = 1;

        s->budget = PROBES;
        return salvage_between(s, low, high);
}
