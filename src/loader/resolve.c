/* The rules, from the name as written down to one candidate file after the other. */
#include "loader/resolve.h"

#include "loader/package.h"

#include <string.h>
#include <unistd.h>

/* One search in one root. `name` is what people know the module by. */
struct search {
        const struct roots *roots;
        unsigned int root;
        struct bytes name;
        struct found *file;
        struct reason *why;
        struct proof *proof;
};

static bool starts_with(struct bytes s, const char *text)
{
        size_t n = strlen(text);

        return s.len >= n && !memcmp(s.data, text, n);
}

static bool ends_with(struct bytes s, const char *text)
{
        size_t n = strlen(text);

        return s.len >= n && !memcmp(s.data + s.len - n, text, n);
}

/* ---- candidates ---- */

static int try_file(struct search *s, const struct place *at, const char *ending)
{
        struct place file = *at;

        if (!at->len || place_append(&file, ending))
                return ROOTS_ABSENT;
        return roots_find(s->roots, s->root, &file, s->file, s->why);
}

static int as_file(struct search *s, const struct place *at)
{
        static const char *const endings[] = {"", ".js", ".json", ".node"};
        int r = ROOTS_ABSENT;

        for (size_t i = 0; r == ROOTS_ABSENT && i < sizeof(endings) / sizeof(endings[0]); i++)
                r = try_file(s, at, endings[i]);
        return r;
}

static int as_index(struct search *s, const struct place *dir)
{
        struct place at = *dir;

        return place_walk(&at, wire_str("index")) ? ROOTS_ABSENT : as_file(s, &at);
}

static int read_package(struct search *s, const struct place *dir, struct package *p)
{
        struct found file;
        int r = package_read(s->roots, s->root, dir, p, &file, s->why);

        if (!r && p->json && s->proof)
                proof_add_file(s->proof, s->root, &file);
        return r;
}

static int as_main(struct search *s, const struct place *dir, const char *main)
{
        struct place at = *dir;
        int r = ROOTS_ABSENT;

        if (!main || !*main || place_walk(&at, wire_str(main)))
                return ROOTS_ABSENT;
        if (!ends_with(wire_str(main), "/"))
                r = as_file(s, &at);
        return r == ROOTS_ABSENT ? as_index(s, &at) : r;
}

static int as_directory(struct search *s, const struct place *dir)
{
        struct package p;
        int r = read_package(s, dir, &p);

        if (!r) {
                r = as_main(s, dir, package_main(&p));
                package_fini(&p);
        }
        return r == ROOTS_ABSENT ? as_index(s, dir) : r;
}

/* A name that ends with a slash, "." or ".." is a directory's. */
static bool names_directory(struct bytes name)
{
        return wire_str_is(name, ".") || wire_str_is(name, "..") || ends_with(name, "/") ||
               ends_with(name, "/.") || ends_with(name, "/..");
}

static int as_either(struct search *s, const struct place *at)
{
        int r = names_directory(s->name) ? ROOTS_ABSENT : as_file(s, at);

        return r == ROOTS_ABSENT ? as_directory(s, at) : r;
}

/* ---- names ---- */

static int refuse_place(struct search *s, int condition)
{
        static const char *const words[] = {
                [PLACE_OUTSIDE] = "its \"..\" leave the root",
                [PLACE_TOO_LONG] = "the path is too long",
                [PLACE_INVALID] = "a name has no NUL",
        };

        reason_set(s->why, "%s", words[condition]);
        return ROOTS_REFUSED;
}

static int by_path(struct search *s, const struct place *dir, struct bytes name)
{
        struct place at = *dir;
        int r = place_walk(&at, name);

        return r ? refuse_place(s, r) : as_either(s, &at);
}

/* "@scope/name" counts as one part. Empty for what is no package's name. */
static struct bytes package_part(struct bytes name)
{
        const uint8_t *slash = memchr(name.data, '/', name.len);

        if (slash && name.data[0] == '@') {
                size_t after = name.len - (size_t)(slash + 1 - name.data);

                slash = memchr(slash + 1, '/', after);
        }
        if (slash)
                name.len = (size_t)(slash - name.data);
        return name;
}

/* The package's own table of what may be had of it. ROOTS_ABSENT: it has none, or is no package. */
static int by_exports(struct search *s, const struct place *dir, struct bytes name)
{
        struct bytes part = package_part(name);
        char inner[PLACE_BYTES];
        struct place at = *dir, target;
        struct package p;
        int r;

        if (place_walk(&at, part) || name.len - part.len + 2 > sizeof(inner))
                return ROOTS_ABSENT;
        inner[0] = '.';
        memcpy(inner + 1, name.data + part.len, name.len - part.len);
        inner[1 + name.len - part.len] = '\0';
        r = read_package(s, &at, &p);
        if (r)
                return r;
        if (!package_has_exports(&p)) {
                package_fini(&p);
                return ROOTS_ABSENT;
        }
        r = package_export(&p, inner, &target, s->why);
        package_fini(&p);
        if (r)
                return r;
        if (place_walk(&at, wire_str(target.text)))
                return ROOTS_ABSENT;
        r = try_file(s, &at, "");
        if (r == ROOTS_ABSENT)
                reason_set(s->why, "%s, which the package's exports name, is not there", at.text);
        return r == ROOTS_ABSENT ? ROOTS_REFUSED : r;
}

/* From a directory's node_modules up to the root's. */
static int by_package(struct search *s, const struct place *from, struct bytes name)
{
        struct place dir = *from;
        int r = ROOTS_ABSENT;

        for (bool last = false; r == ROOTS_ABSENT && !last; place_up(&dir)) {
                struct place modules = dir, at;
                struct bytes here = place_name(&dir);

                last = !dir.len;
                if (wire_str_is(here, "node_modules") || place_walk(&modules, wire_str("node_modules")))
                        continue;
                r = by_exports(s, &modules, name);
                at = modules;
                if (r == ROOTS_ABSENT && !place_walk(&at, name))
                        r = as_either(s, &at);
        }
        return r;
}

static bool is_relative(struct bytes name)
{
        return wire_str_is(name, ".") || wire_str_is(name, "..") || starts_with(name, "./") ||
               starts_with(name, "../");
}

static int in_directory(struct search *s, const struct place *dir)
{
        struct bytes name = s->name;
        struct place top;

        place_root(&top);
        if (name.len && name.data[0] == '/')
                return by_path(s, &top, name);
        if (is_relative(name))
                return by_path(s, dir, name);
        return by_package(s, dir, name);
}

/* ---- who asks ---- */

/* Bytes that run could be called JavaScript only by mistake. */
static int refuse_kind(struct search *s)
{
        struct bytes name = place_name(&s->file->place);

        if (ends_with(name, ".node"))
                reason_set(
                        s->why, "%s is a native add-on, which the sandbox does not run", s->file->place.text);
        else if (ends_with(name, ".mjs"))
                reason_set(s->why, "%s is an ES module, which require() does not load", s->file->place.text);
        else
                return 0;
        close(s->file->fd);
        return ROOTS_REFUSED;
}

static int fill_answer(struct search *s, struct answer *answer)
{
        answer->found = true;
        answer->root = s->root;
        answer->place = s->file->place;
        return refuse_kind(s);
}

static int from_file(struct search *s, const struct question *q, struct answer *answer)
{
        struct place dir;
        int r;

        place_root(&dir);
        if (q->root >= s->roots->n || place_walk(&dir, q->from)) {
                reason_set(s->why, "the asking file is in no root");
                return ROOTS_REFUSED;
        }
        place_up(&dir);
        s->root = q->root;
        r = in_directory(s, &dir);
        if (r == ROOTS_ABSENT)
                reason_set(s->why, is_relative(q->name) || q->name.data[0] == '/'
                                           ? "there is no such file, nor with .js or .json, and no directory "
                                             "with an index"
                                           : "there is no such package in node_modules of its directory or "
                                             "of one above, up to the root");
        return r ? r : fill_answer(s, answer);
}

static int in_root(struct search *s)
{
        struct place top;
        int r;

        place_root(&top);
        r = in_directory(s, &top);
        return r == ROOTS_ABSENT && !is_relative(s->name) ? by_path(s, &top, s->name) : r;
}

/* A root that is not there is passed over, but not without a word. */
static int from_task(struct search *s, const struct question *q, struct answer *answer)
{
        const struct root *absent = NULL;

        (void)q;
        for (s->root = 0; s->root < s->roots->n; s->root++) {
                const struct root *root = &s->roots->list[s->root];
                int r;

                if (root->fd < 0) {
                        absent = root;
                        continue;
                }
                r = in_root(s);
                if (r != ROOTS_ABSENT)
                        return r ? r : fill_answer(s, answer);
        }
        reason_set(s->why, "no root has such a file, nor with .js or .json, nor such a package%s%s%s",
                absent ? "; and the root " : "", absent ? absent->path : "",
                absent ? " cannot be opened" : "");
        return ROOTS_ABSENT;
}

int resolve(const struct roots *roots, const struct question *q, struct answer *answer, struct found *file,
        struct reason *why, struct proof *proof)
{
        struct search s = {.roots = roots, .name = q->name, .file = file, .why = why, .proof = proof};
        int r;

        answer->found = false;
        *why = (struct reason){0};
        if (!q->name.len) {
                reason_set(why, "the name is empty");
                return ROOTS_ABSENT;
        }
        r = q->in_file ? from_file(&s, q, answer) : from_task(&s, q, answer);
        if (r > 0)
                answer->found = false;
        return r > 0 ? ROOTS_ABSENT : r;
}
