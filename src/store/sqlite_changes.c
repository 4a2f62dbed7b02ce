/* The SQLite engine's changes. Each of them can come a second time and then changes nothing. */
#include "store/sqlite_engine.h"

#include <string.h>

/* A longer payload stands in a row of its own. */
enum { INLINE_MAX = 1024 };

static struct bytes owner(const struct sqlite_store *s)
{
        return (struct bytes){s->config.owner, STORE_OWNER};
}

static bool column_is(sqlite3_stmt *stmt, int column, struct bytes b)
{
        return (size_t)sqlite3_column_bytes(stmt, column) == b.len &&
                !memcmp(sqlite3_column_blob(stmt, column), b.data, b.len);
}

/* A change that found no row that it may change: it was made before, or its claim is lost. id: of a task that may be there
 * already; NULL: it must be ours, with this token or a later one. */
static int find_claim(struct sqlite_store *s, uint64_t place, uint64_t fence, const struct bytes *id)
{
        sqlite3_stmt *stmt = s->statements[SQL_CLAIM];
        int r, rc;

        sqlite_bind_uint(s, SQL_CLAIM, 1, place);
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW && (id ? column_is(stmt, 0, *id) :
                                      (uint64_t)sqlite3_column_int64(stmt, 1) >= fence && column_is(stmt, 2, owner(s))))
                r = 0;
        else if (rc == SQLITE_ROW || rc == SQLITE_DONE)
                r = store_say(&s->base, STORE_STALE, "task %llu is another claim's, or gone", (unsigned long long)place);
        else
                r = sqlite_condition(s, rc, "claim");
        sqlite3_reset(stmt);
        return r;
}

static int keep_body(struct sqlite_store *s, uint64_t place, struct bytes task)
{
        sqlite_bind_uint(s, SQL_BODY, 1, place);
        sqlite_bind_bytes(s, SQL_BODY, 2, task);
        return sqlite_run(s, SQL_BODY, "body");
}

int sqlite_accept(struct store *base, const struct wire_store_accept *c)
{
        struct sqlite_store *s = sqlite_of(base);
        bool apart = c->task.len > INLINE_MAX;
        int r;

        sqlite_bind_uint(s, SQL_ACCEPT, 1, c->place);
        sqlite_bind_bytes(s, SQL_ACCEPT, 2, c->id);
        sqlite_bind_text(s, SQL_ACCEPT, 3, c->project);
        sqlite_bind_uint(s, SQL_ACCEPT, 4, c->priority);
        sqlite_bind_uint(s, SQL_ACCEPT, 5, c->not_before);
        sqlite_bind_bytes(s, SQL_ACCEPT, 6, owner(s));
        sqlite_bind_bytes(s, SQL_ACCEPT, 7, c->options);
        sqlite_bind_bytes(s, SQL_ACCEPT, 8, apart ? (struct bytes){0} : c->task);
        r = sqlite_run(s, SQL_ACCEPT, "accept");
        if (r)
                return r;
        if (!sqlite3_changes(s->db))
                return find_claim(s, c->place, 0, &c->id);
        return apart ? keep_body(s, c->place, c->task) : 0;
}

/* The first three parameters of every change under a claim. */
static void bind_claim(struct sqlite_store *s, enum sqlite_statement which, uint64_t place, uint64_t fence)
{
        sqlite_bind_uint(s, which, 1, place);
        sqlite_bind_uint(s, which, 2, fence);
        sqlite_bind_bytes(s, which, 3, owner(s));
}

static int run_claim(struct sqlite_store *s, enum sqlite_statement which, uint64_t place, uint64_t fence, const char *doing)
{
        int r = sqlite_run(s, which, doing);

        return r || sqlite3_changes(s->db) ? r : find_claim(s, place, fence, NULL);
}

int sqlite_attempt(struct store *base, const struct wire_store_attempt *c)
{
        struct sqlite_store *s = sqlite_of(base);

        bind_claim(s, SQL_ATTEMPT, c->place, c->fence);
        sqlite_bind_uint(s, SQL_ATTEMPT, 4, c->lease_until);
        sqlite_bind_bytes(s, SQL_ATTEMPT, 5, c->attempts);
        return run_claim(s, SQL_ATTEMPT, c->place, c->fence, "attempt");
}

int sqlite_release(struct store *base, const struct wire_store_release *c)
{
        struct sqlite_store *s = sqlite_of(base);

        bind_claim(s, SQL_RELEASE, c->place, c->fence);
        sqlite_bind_uint(s, SQL_RELEASE, 4, c->not_before);
        sqlite_bind_bytes(s, SQL_RELEASE, 5, c->attempts);
        sqlite_bind_bytes(s, SQL_RELEASE, 6, WIRE_HAS(c, store_release, outcome) ? c->outcome : (struct bytes){0});
        return run_claim(s, SQL_RELEASE, c->place, c->fence, "release");
}

int sqlite_end(struct store *base, const struct wire_store_end *c)
{
        struct sqlite_store *s = sqlite_of(base);
        uint64_t state = c->state + STORE_SUCCEEDED;
        int r;

        bind_claim(s, SQL_END, c->place, c->fence);
        sqlite_bind_uint(s, SQL_END, 4, state);
        sqlite_bind_uint(s, SQL_END, 5, c->ended_at);
        sqlite_bind_uint(s, SQL_END, 6, c->expires_at);
        sqlite_bind_bytes(s, SQL_END, 7, c->attempts);
        sqlite_bind_bytes(s, SQL_END, 8, c->outcome);
        r = run_claim(s, SQL_END, c->place, c->fence, "end");
        /* One that had ended already is as it was. */
        if (r || state == STORE_DEAD || !sqlite3_changes(s->db))
                return r;
        sqlite_bind_uint(s, SQL_DROP_BODY, 1, c->place);
        return sqlite_run(s, SQL_DROP_BODY, "end");
}

int sqlite_setting(struct store *base, const struct wire_store_setting *c)
{
        struct sqlite_store *s = sqlite_of(base);

        sqlite_bind_text(s, SQL_SETTING, 1, c->project);
        sqlite_bind_bytes(s, SQL_SETTING, 2, c->settings);
        return sqlite_run(s, SQL_SETTING, "setting");
}

int sqlite_forget(struct store *base, uint64_t place)
{
        struct sqlite_store *s = sqlite_of(base);
        int r;

        sqlite_bind_uint(s, SQL_FORGET, 1, place);
        r = sqlite_run(s, SQL_FORGET, "forget");
        if (r || !sqlite3_changes(s->db))
                return r;
        sqlite_bind_uint(s, SQL_DROP_BODY, 1, place);
        return sqlite_run(s, SQL_DROP_BODY, "forget");
}

int sqlite_put(struct sqlite_store *s, const struct wire_store_row *row)
{
        const uint64_t numbers[] = {row->priority, row->state, row->not_before, row->fence, row->ended_at, row->expires_at};
        const struct bytes parts[] = {row->options, row->task, row->attempts, row->outcome};

        sqlite_bind_uint(s, SQL_PUT, 1, row->place);
        sqlite_bind_bytes(s, SQL_PUT, 2, row->id);
        sqlite_bind_text(s, SQL_PUT, 3, row->project);
        for (int i = 0; i < 6; i++)
                sqlite_bind_uint(s, SQL_PUT, 4 + i, numbers[i]);
        for (int i = 0; i < 4; i++)
                sqlite_bind_bytes(s, SQL_PUT, 10 + i, parts[i]);
        return sqlite_run(s, SQL_PUT, "copy");
}

static int expire_in(struct sqlite_store *s, enum sqlite_statement which, uint64_t now_ms, unsigned int limit)
{
        sqlite_bind_uint(s, which, 1, now_ms);
        sqlite_bind_uint(s, which, 2, limit);
        return sqlite_run(s, which, "expire");
}

int sqlite_expire(struct store *base, uint64_t now_ms, unsigned int limit, unsigned int *n)
{
        struct sqlite_store *s = sqlite_of(base);
        int r = expire_in(s, SQL_EXPIRE_BODIES, now_ms, limit);

        *n = 0;
        if (!r)
                r = expire_in(s, SQL_EXPIRE, now_ms, limit);
        if (!r)
                *n = (unsigned int)sqlite3_changes(s->db);
        return r;
}
