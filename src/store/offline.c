/* check, export, recover. */
#include "store/offline.h"

#include "base/buf.h"
#include "base/list.h"
#include "base/uuid.h"
#include "store/salvage.h"
#include "wire/json.h"
#include "wire/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static int status_of(int r)
{
        static const int statuses[] = {[0] = EX_OK, [STORE_STALE] = EX_SOFTWARE, [STORE_UNAVAILABLE] = EX_IOERR,
                [STORE_BROKEN] = EX_IOERR, [STORE_CORRUPT] = EX_DATAERR, [STORE_NEWER] = EX_DATAERR,
                [STORE_LOCKED] = EX_TEMPFAIL};

        return r < 0 ? EX_OSERR : statuses[r];
}

/* A file that is not there is not made; one that is damaged is opened as far as it can be. */
static int open_store(const char *path, struct store **out)
{
        static struct store_info info;
        struct store_config config = {.path = path, .damaged = true};
        int r;

        *out = NULL;
        if (access(path, F_OK) < 0) {
                fprintf(stderr, "poppo store: %s: %m\n", path);
                return EX_NOINPUT;
        }
        r = store_sqlite.open(&config, out, &info);
        if (!r)
                return EX_OK;
        fprintf(stderr, "poppo store: %s\n", *out && *(*out)->why ? (*out)->why : "no memory");
        if (r == STORE_LOCKED)
                fprintf(stderr, "poppo store: a supervisor has it; stop that first\n");
        return status_of(r);
}

static void close_store(struct store *s)
{
        if (s)
                s->ops->close(s);
}

/* ---- check ---- */

struct counter {
        struct store_reader reader;
        uint64_t states[STORE_DEAD + 1];
};

static int count_row(struct store_reader *r, const struct wire_store_row *row)
{
        container_of(r, struct counter, reader)->states[row->state]++;
        return 0;
}

/* One line of what is wrong after the other. */
static int print_damage(struct store *s)
{
        sqlite3_stmt *stmt = NULL;
        int status = EX_OK, rc = sqlite3_prepare_v2(sqlite_of(s)->db, "PRAGMA integrity_check", -1, &stmt, NULL);

        while (!rc && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
                const char *line = (const char *)sqlite3_column_text(stmt, 0);

                if (line && strcmp(line, "ok")) {
                        printf("%s\n", line);
                        status = EX_DATAERR;
                }
                rc = SQLITE_OK;
        }
        sqlite3_finalize(stmt);
        return rc == SQLITE_DONE ? status : EX_DATAERR;
}

static int check_rows(struct store *s)
{
        struct counter c = {.reader = {.row = count_row}};
        struct store_page page = {.after = 0, .through = INT64_MAX};
        int r = s->ops->load(s, &page, &c.reader);

        if (r) {
                printf("%s\n", s->why);
                return status_of(r);
        }
        printf("good: %llu wait, %llu were running, %llu have ended\n", (unsigned long long)c.states[STORE_QUEUED],
                (unsigned long long)c.states[STORE_RUNNING],
                (unsigned long long)(c.states[STORE_SUCCEEDED] + c.states[STORE_FAILED] + c.states[STORE_CANCELLED] +
                        c.states[STORE_DEAD]));
        return EX_OK;
}

int store_check(const char *path)
{
        struct store *s;
        int opened = open_store(path, &s), status = opened;

        if (!status)
                status = print_damage(s);
        if (!status)
                status = check_rows(s);
        if (!opened && status == EX_DATAERR)
                fprintf(stderr,
                        "poppo store: %s is damaged; poppo store recover writes what can be read to a new file, "
                        "poppo store export prints it\n",
                        path);
        close_store(s);
        return status;
}

/* ---- export ---- */

struct printer {
        struct store_reader reader;
        struct buf map, text;
        bool failed;
};

static void pack_row(struct pack *p, const struct wire_store_row *row)
{
        static const char words[] = "queued|running|succeeded|failed|cancelled|dead";
        char id[UUID_TEXT + 1];
        struct uuid uuid;

        memcpy(uuid.bytes, row->id.data, sizeof(uuid.bytes));
        uuid_format(&uuid, id);
        pack_map(p, 6u + (row->task.len != 0) + (row->attempts.len != 0) + (row->outcome.len != 0));
        pack_entry_text(p, "id", id);
        pack_entry_str(p, "projectId", row->project);
        pack_entry_uint(p, "priority", row->priority);
        pack_entry_str(p, "state", wire_word(words, row->state));
        pack_entry_uint(p, "notBefore", row->not_before);
        pack_entry_raw(p, "options", row->options);
        if (row->task.len)
                pack_entry_raw(p, "task", row->task);
        if (row->attempts.len)
                pack_entry_raw(p, "attempts", row->attempts);
        if (row->outcome.len)
                pack_entry_raw(p, "outcome", row->outcome);
}

static int print_row(struct store_reader *r, const struct wire_store_row *row)
{
        struct printer *p = container_of(r, struct printer, reader);
        struct pack pack;

        buf_consume(&p->map, buf_size(&p->map));
        buf_consume(&p->text, buf_size(&p->text));
        pack_init(&pack, &p->map);
        pack_row(&pack, row);
        if (pack.error || json_from_msgpack(buf_bytes(&p->map), &p->text) < 0 || buf_append(&p->text, "\n", 1) < 0 ||
                fwrite(buf_head(&p->text), 1, buf_size(&p->text), stdout) != buf_size(&p->text))
                p->failed = true;
        return p->failed;
}

static void say_holes(const struct salvage *s)
{
        fprintf(stderr, "poppo store: %llu tasks could be read", (unsigned long long)s->found);
        if (s->holes)
                fprintf(stderr, "; %llu stretches could not", (unsigned long long)s->holes);
        fputs("\n", stderr);
}

int store_export(const char *path)
{
        struct printer p = {.reader = {.row = print_row}};
        struct salvage salvage = {.reader = &p.reader};
        struct store *s;
        int status = open_store(path, &s);

        if (!status) {
                salvage.store = sqlite_of(s);
                salvage_rows(&salvage);
                status = p.failed || fflush(stdout) ? EX_IOERR : EX_OK;
                say_holes(&salvage);
        }
        buf_fini(&p.map);
        buf_fini(&p.text);
        close_store(s);
        return status;
}

/* ---- recover ---- */

struct copier {
        struct store_reader reader;
        struct store *to;
        int error;
};

static int copy_row(struct store_reader *r, const struct wire_store_row *row)
{
        struct copier *c = container_of(r, struct copier, reader);

        c->error = sqlite_put(sqlite_of(c->to), row);
        return c->error;
}

static int copy_setting(struct store_reader *r, const struct wire_store_project *row)
{
        struct copier *c = container_of(r, struct copier, reader);
        struct wire_store_setting setting = {.project = row->project, .settings = row->settings};

        c->error = c->to->ops->setting(c->to, &setting);
        return c->error;
}

/* All of it is one transaction: a copy that is not whole is none. */
static int copy_all(struct store *from, struct store *to, struct salvage *salvage)
{
        struct copier c = {.reader = {.row = copy_row, .setting = copy_setting}, .to = to};
        int r = to->ops->begin(to);

        salvage->store = sqlite_of(from);
        salvage->reader = &c.reader;
        if (!r) {
                from->ops->settings(from, &c.reader);
                salvage_rows(salvage);
                r = c.error ? c.error : to->ops->commit(to);
        }
        if (r)
                fprintf(stderr, "poppo store: %s\n", to->why);
        return status_of(r);
}

int store_recover(const char *path)
{
        static struct store_info info;
        char target[STORE_PATH + 16];
        struct store_config config = {.path = target};
        struct salvage salvage = {0};
        struct store *from, *to = NULL;
        int status = open_store(path, &from);

        snprintf(target, sizeof(target), "%s.recovered", path);
        if (!status && !access(target, F_OK)) {
                fprintf(stderr, "poppo store: %s is there already\n", target);
                status = EX_CANTCREAT;
        }
        if (!status && store_sqlite.open(&config, &to, &info)) {
                fprintf(stderr, "poppo store: %s\n", to ? to->why : "no memory");
                status = EX_CANTCREAT;
        }
        if (!status)
                status = copy_all(from, to, &salvage);
        if (!status) {
                say_holes(&salvage);
                printf("%s\n", target);
        }
        close_store(to);
        close_store(from);
        return status;
}
