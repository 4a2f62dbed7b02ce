/* The SQLite engine's reading. What is not as it was written is damage, and said so. */
#include "store/sqlite_engine.h"

static struct bytes bytes_of(sqlite3_stmt *stmt, int column)
{
        const void *data = sqlite3_column_blob(stmt, column);

        return (struct bytes){data, data ? (size_t)sqlite3_column_bytes(stmt, column) : 0};
}

static uint64_t uint_of(sqlite3_stmt *stmt, int column)
{
        return (uint64_t)sqlite3_column_int64(stmt, column);
}

/* The columns of SQL_ROWS. */
static struct wire_store_row row_of(sqlite3_stmt *stmt)
{
        struct bytes task = bytes_of(stmt, 10), attempts = bytes_of(stmt, 11), outcome = bytes_of(stmt, 12);
        struct wire_store_row row = {0};

        WIRE_SET(&row, store_row, place, uint_of(stmt, 0));
        WIRE_SET(&row, store_row, id, bytes_of(stmt, 1));
        WIRE_SET(&row, store_row, project, bytes_of(stmt, 2));
        WIRE_SET(&row, store_row, priority, uint_of(stmt, 3));
        WIRE_SET(&row, store_row, state, uint_of(stmt, 4));
        WIRE_SET(&row, store_row, not_before, uint_of(stmt, 5));
        WIRE_SET(&row, store_row, fence, uint_of(stmt, 6));
        WIRE_SET(&row, store_row, ended_at, uint_of(stmt, 7));
        WIRE_SET(&row, store_row, expires_at, uint_of(stmt, 8));
        WIRE_SET(&row, store_row, options, bytes_of(stmt, 9));
        if (task.len)
                WIRE_SET(&row, store_row, task, task);
        if (attempts.len)
                WIRE_SET(&row, store_row, attempts, attempts);
        if (outcome.len)
                WIRE_SET(&row, store_row, outcome, outcome);
        return row;
}

static bool is_sound(const struct wire_store_row *row)
{
        return row->id.len == 16 && row->project.len && row->options.len && row->state <= STORE_DEAD &&
                (row->state >= STORE_SUCCEEDED ? row->state != STORE_DEAD || row->task.len : row->task.len > 0);
}

static int read_page(struct sqlite_store *s, struct store_page *page, struct store_reader *reader)
{
        sqlite3_stmt *stmt = s->statements[SQL_ROWS];
        int rc;

        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
                struct wire_store_row row = row_of(stmt);

                if (!is_sound(&row))
                        return store_say(&s->base, STORE_CORRUPT, "task %llu is not as it was written",
                                (unsigned long long)row.place);
                if (reader->row(reader, &row)) {
                        page->more = true;
                        return 0;
                }
                page->last = row.place;
        }
        return sqlite_condition(s, rc, "load");
}

int sqlite_load(struct store *base, struct store_page *page, struct store_reader *reader)
{
        struct sqlite_store *s = sqlite_of(base);
        int r;

        page->last = page->after;
        page->more = false;
        sqlite_bind_uint(s, SQL_ROWS, 1, page->after);
        sqlite_bind_uint(s, SQL_ROWS, 2, page->through);
        r = read_page(s, page, reader);
        sqlite3_reset(s->statements[SQL_ROWS]);
        return r;
}

int sqlite_settings(struct store *base, struct store_reader *reader)
{
        struct sqlite_store *s = sqlite_of(base);
        sqlite3_stmt *stmt = s->statements[SQL_SETTINGS];
        int rc, r = 0;

        while (!r && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
                struct wire_store_project setting = {0};

                WIRE_SET(&setting, store_project, project, bytes_of(stmt, 0));
                WIRE_SET(&setting, store_project, settings, bytes_of(stmt, 1));
                r = reader->setting(reader, &setting);
        }
        if (!r)
                r = sqlite_condition(s, rc, "settings");
        sqlite3_reset(stmt);
        return r;
}
