/*
 * A target is a string, a table of conditions, or a list of which the first one that makes sense counts.
 * Names may have one "*", which stands for the same text in the target.
 */
#include "loader/package.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PACKAGE_DEPTH = 16 };

static int parse(const struct buf *text, const struct place *at, struct package *out, struct reason *why)
{
        json_error_t error;

        out->json = json_loadb((const char *)buf_head(text), buf_size(text), 0, &error);
        if (out->json && json_is_object(out->json))
                return 0;
        if (out->json)
                reason_set(why, "%s is not a JSON object", at->text);
        else
                reason_set(why, "%s:%d: %s", at->text, error.line, error.text);
        package_fini(out);
        return ROOTS_REFUSED;
}

static void cleanup_buf(struct buf *b)
{
        buf_fini(b);
}

int package_read(const struct roots *r, unsigned int root, const struct place *dir, struct package *out,
        struct found *found, struct reason *why)
{
        CLEANUP(cleanup_buf) struct buf text;
        struct place at = *dir;
        int fault;

        buf_init(&text, 0);
        *out = (struct package){0};
        *found = (struct found){.fd = -1};
        if (place_walk(&at, (struct bytes){(const uint8_t *)"package.json", 12}))
                return 0;
        fault = roots_find(r, root, &at, found, why);
        if (fault)
                return fault == ROOTS_ABSENT ? 0 : fault;
        fault = roots_read(found, &text, why);
        close(found->fd);
        return fault ? fault : parse(&text, &found->place, out, why);
}

void package_fini(struct package *p)
{
        json_decref(p->json);
        p->json = NULL;
}

const char *package_main(const struct package *p)
{
        return json_string_value(json_object_get(p->json, "main"));
}

static json_t *exports_of(const struct package *p)
{
        json_t *e = json_object_get(p->json, "exports");

        return json_is_null(e) ? NULL : e;
}

bool package_has_exports(const struct package *p)
{
        return exports_of(p) != NULL;
}

/* ---- targets ---- */

/* What a "*" in the name stood for; NULL: the name has none. */
struct match {
        const char *text;
        size_t len;
};

static bool is_forbidden(struct bytes part)
{
        static const char *const words[] = {".", "..", "node_modules"};

        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (part.len == strlen(words[i]) && !memcmp(part.data, words[i], part.len))
                        return true;
        return false;
}

/* Whether no part of a path leads elsewhere than down. */
static bool goes_down(const char *path)
{
        while (*path) {
                const char *stop = strchrnul(path, '/');

                if (is_forbidden((struct bytes){(const uint8_t *)path, (size_t)(stop - path)}))
                        return false;
                path = *stop ? stop + 1 : stop;
        }
        return true;
}

static int fill(char *out, size_t size, const char *target, const struct match *m)
{
        size_t n = 0;

        for (; *target; target++) {
                bool star = m->text && *target == '*';
                const char *from = star ? m->text : target;
                size_t len = star ? m->len : 1;

                if (n + len >= size)
                        return PLACE_TOO_LONG;
                memcpy(out + n, from, len);
                n += len;
        }
        out[n] = '\0';
        return 0;
}

static int take_path(const char *target, const struct match *m, struct place *out)
{
        char whole[PLACE_BYTES];

        if (strncmp(target, "./", 2) || fill(whole, sizeof(whole), target + 2, m) || !goes_down(whole))
                return ROOTS_REFUSED;
        place_root(out);
        return place_walk(out, (struct bytes){(const uint8_t *)whole, strlen(whole)}) ? ROOTS_REFUSED : 0;
}

static bool is_ours(const char *condition)
{
        return !strcmp(condition, "require") || !strcmp(condition, "node") || !strcmp(condition, "default");
}

/* 0, ROOTS_ABSENT: nothing here for us, the next condition may have something; ROOTS_REFUSED. */
static int take_target(json_t *target, const struct match *m, struct place *out, int depth)
{
        const char *key;
        json_t *value;
        size_t i;
        int r = ROOTS_ABSENT;

        if (json_is_string(target))
                return take_path(json_string_value(target), m, out);
        if (depth == PACKAGE_DEPTH || json_is_null(target))
                return ROOTS_REFUSED;
        if (json_is_array(target)) {
                json_array_foreach(
                        target, i, value) if (!(r = take_target(value, m, out, depth + 1))) return 0;
                return r;
        }
        json_object_foreach(
                target, key, value) if (is_ours(key) &&
                                        (r = take_target(value, m, out, depth + 1)) != ROOTS_ABSENT) return r;
        return ROOTS_ABSENT;
}

/* ---- names ---- */

/* Whether the table's keys are names ("./x") rather than conditions. */
static bool has_names(json_t *exports)
{
        const char *key;
        json_t *value;

        json_object_foreach(exports, key, value) return *key == '.';
        return false;
}

static bool fits(const char *key, const char *name, struct match *m)
{
        const char *star = strchr(key, '*');
        size_t before, after, len = strlen(name);

        if (!star || strchr(star + 1, '*'))
                return false;
        before = (size_t)(star - key);
        after = strlen(star + 1);
        if (len <= before + after || strncmp(key, name, before) || strcmp(star + 1, name + len - after))
                return false;
        *m = (struct match){name + before, len - before - after};
        return true;
}

/* Node's order: the longest text before the star, then the longest key. */
static bool is_better(const char *key, const char *best)
{
        size_t mine, other;

        if (!best)
                return true;
        mine = strcspn(key, "*");
        other = strcspn(best, "*");
        return mine > other || (mine == other && strlen(key) > strlen(best));
}

static json_t *find_name(json_t *exports, const char *name, struct match *m)
{
        const char *key, *best = NULL;
        json_t *value = strchr(name, '*') ? NULL : json_object_get(exports, name);
        struct match here;

        if (value)
                return value;
        json_object_foreach(exports, key, value) if (is_better(key, best) && fits(key, name, &here))
        {
                best = key;
                *m = here;
        }
        return best ? json_object_get(exports, best) : NULL;
}

int package_export(const struct package *p, const char *name, struct place *target, struct reason *why)
{
        struct match m = {NULL, 0};
        json_t *exports = exports_of(p);
        int r = ROOTS_ABSENT;

        if (has_names(exports))
                exports = find_name(exports, name, &m);
        else if (strcmp(name, "."))
                exports = NULL;
        if (exports)
                r = take_target(exports, &m, target, 0);
        if (!r)
                return 0;
        reason_set(why, "the package's exports have no %s for require()", name);
        return ROOTS_REFUSED;
}
