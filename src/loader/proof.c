/* Elements: [FILE, root, path, mark] and [QUESTION, root or nil, from, name, root or nil, path]. */
#include "loader/proof.h"

#include "loader/resolve.h"
#include "wire/cursor.h"

#include <string.h>
#include <unistd.h>

enum { ELEMENT_FILE, ELEMENT_QUESTION };

static struct bytes place_bytes(const struct place *p)
{
        return (struct bytes){(const uint8_t *)p->text, p->len};
}

/* ---- writing ---- */

void proof_open(struct proof *p, struct buf *out)
{
        *p = (struct proof){0};
        pack_init(&p->pack, out);
        p->head = pack_array_open(&p->pack);
}

int proof_close(struct proof *p)
{
        if (!p->pack.error)
                pack_array_close(&p->pack, p->head, p->n);
        return p->pack.error;
}

void proof_add_file(struct proof *p, unsigned int root, const struct found *f)
{
        p->n++;
        pack_array(&p->pack, 4);
        pack_uint(&p->pack, ELEMENT_FILE);
        pack_uint(&p->pack, root);
        pack_str(&p->pack, place_bytes(&f->place));
        pack_bin(&p->pack, (struct bytes){(const uint8_t *)&f->mark, sizeof(f->mark)});
}

static void add_root(struct pack *p, bool there, unsigned int root)
{
        if (there)
                pack_uint(p, root);
        else
                pack_nil(p);
}

void proof_add_question(struct proof *p, const struct question *q, const struct answer *a)
{
        p->n++;
        pack_array(&p->pack, 6);
        pack_uint(&p->pack, ELEMENT_QUESTION);
        add_root(&p->pack, q->in_file, q->root);
        pack_str(&p->pack, q->from);
        pack_str(&p->pack, q->name);
        add_root(&p->pack, a->found, a->root);
        pack_str(&p->pack, a->found ? place_bytes(&a->place) : (struct bytes){0});
}

/* ---- reading it back ---- */

/* A root's index, or nil: then *there is false. */
static bool take_root(struct cursor *c, const struct roots *r, bool *there, unsigned int *root)
{
        struct wire_value v;

        *there = false;
        if (cursor_read(c, &v))
                return false;
        *there = v.tag != TAG_NIL;
        if (!*there)
                return true;
        *root = (unsigned int)v.uint;
        return v.tag == TAG_UINT && v.uint < r->n;
}

static bool take_place(struct cursor *c, struct place *at)
{
        struct bytes path;

        place_root(at);
        return !cursor_str(c, &path) && !place_walk(at, path);
}

static int check_file(const struct roots *r, struct cursor *c)
{
        struct wire_value bytes;
        struct mark mark;
        struct place at;
        unsigned int root;
        bool there;

        if (!take_root(c, r, &there, &root) || !there || !take_place(c, &at) || cursor_read(c, &bytes) ||
                bytes.tag != TAG_BIN || bytes.bytes.len != sizeof(mark))
                return ROOTS_ABSENT;
        memcpy(&mark, bytes.bytes.data, sizeof(mark));
        return roots_is_same(r, root, &at, &mark) ? 0 : ROOTS_ABSENT;
}

static bool is_same(const struct answer *now, bool found, unsigned int root, struct bytes path)
{
        if (!now->found || !found)
                return now->found == found;
        return now->root == root && now->place.len == path.len &&
               !memcmp(now->place.text, path.data, path.len);
}

static int check_question(const struct roots *r, struct cursor *c)
{
        struct question q = {0};
        struct answer now;
        struct found file;
        struct reason why;
        struct bytes path;
        unsigned int root = 0;
        bool found;
        int fault;

        if (!take_root(c, r, &q.in_file, &q.root) || cursor_str(c, &q.from) || cursor_str(c, &q.name) ||
                !take_root(c, r, &found, &root) || cursor_str(c, &path))
                return ROOTS_ABSENT;
        fault = resolve(r, &q, &now, &file, &why, NULL);
        if (fault < 0)
                return fault;
        if (!fault)
                close(file.fd);
        return is_same(&now, found, root, path) ? 0 : ROOTS_ABSENT;
}

static int check_element(const struct roots *r, struct cursor *c)
{
        struct wire_value head, kind;

        if (cursor_read(c, &head) || head.tag != TAG_ARRAY || cursor_read(c, &kind) || kind.tag != TAG_UINT)
                return ROOTS_ABSENT;
        if (kind.uint == ELEMENT_FILE && head.count == 4)
                return check_file(r, c);
        if (kind.uint == ELEMENT_QUESTION && head.count == 6)
                return check_question(r, c);
        return ROOTS_ABSENT;
}

int proof_check(const struct roots *r, struct bytes proof)
{
        struct cursor c = cursor_over(proof);
        struct wire_value list;
        int fault = 0;

        if (cursor_read(&c, &list) || list.tag != TAG_ARRAY)
                return ROOTS_ABSENT;
        for (uint32_t i = 0; !fault && i < list.count; i++)
                fault = roots_may_look() ? check_element(r, &c) : ROOTS_ABSENT;
        return fault || roots_may_look() ? fault : ROOTS_ABSENT;
}
