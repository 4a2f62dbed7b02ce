/* The encoder: the same descriptors, the other way round. A frame is appended whole or not at all. */
#include "wire/codec.h"
#include "wire/cursor.h"
#include "wire/pack.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { LENGTH_BYTES = 4 };

static void write_fields(struct pack *p, const struct wire_message *m, const void *body);

static void write_map(struct pack *p, const struct wire_message *m, const void *body)
{
        pack_map(p, (size_t)__builtin_popcount(*(const uint32_t *)body));
        write_fields(p, m, body);
}

static void write_value(struct pack *p, const struct wire_field *f, const void *member)
{
        switch ((enum wire_type)f->type) {
        case WIRE_BOOL:
                return pack_bool(p, *(const bool *)member);
        case WIRE_UINT:
                return pack_uint(p, *(const uint64_t *)member);
        case WIRE_INT:
                return pack_int(p, *(const int64_t *)member);
        case WIRE_NUM:
                return pack_double(p, *(const double *)member);
        case WIRE_STR:
                return pack_str(p, *(const struct bytes *)member);
        case WIRE_BIN:
                return pack_bin(p, *(const struct bytes *)member);
        case WIRE_MAP:
        case WIRE_ARRAY:
        case WIRE_ANY:
                return pack_raw(p, *(const struct bytes *)member);
        case WIRE_WORD:
                return pack_str(p, wire_word(f->words, *(const uint64_t *)member));
        case WIRE_NEST:
                return write_map(p, f->nested, member);
        }
}

static void write_fields(struct pack *p, const struct wire_message *m, const void *body)
{
        uint32_t has = *(const uint32_t *)body;

        for (int i = 0; i < m->n_fields; i++) {
                const struct wire_field *f = &m->fields[i];

                /* A message without a needed field is a bug of the sender, not of its input. */
                assert(f->need == WIRE_MAY || (has >> i & 1));
                if (has >> i & 1) {
                        pack_text(p, f->name);
                        write_value(p, f, (const char *)body + f->offset);
                }
        }
}

/* The length goes in front once it is known; on failure everything written is taken back. */
static int close_frame(struct buf *out, size_t mark, const struct pack *p)
{
        size_t len = buf_size(out) - mark;
        uint8_t *at;

        if (p->error) {
                out->len = out->head + mark;
                return p->error;
        }
        at = buf_head(out) + mark;
        len -= LENGTH_BYTES;
        for (int i = 0; i < LENGTH_BYTES; i++)
                at[i] = (uint8_t)(len >> (8 * (LENGTH_BYTES - 1 - i)));
        return 0;
}

static size_t open_frame(struct buf *out, struct pack *p)
{
        size_t mark = buf_size(out);

        pack_init(p, out);
        pack_raw(p, (struct bytes){(const uint8_t *)"\0\0\0\0", LENGTH_BYTES});
        return mark;
}

int wire_encode(struct buf *out, const struct wire_message *m, uint64_t seq, const void *body)
{
        size_t n_fields = (size_t)__builtin_popcount(*(const uint32_t *)body);
        struct pack p;
        size_t mark = open_frame(out, &p);

        pack_map(&p, n_fields + (m->kind == WIRE_NOTE || m->kind == WIRE_EVENT ? 1 : 2));
        if (m->kind == WIRE_REPLY) {
                pack_entry_uint(&p, "seq", seq);
                pack_entry_bool(&p, "ok", true);
        } else {
                pack_entry_text(&p, m->kind == WIRE_EVENT ? "event" : "op", m->name);
                if (m->kind == WIRE_CALL)
                        pack_entry_uint(&p, "seq", seq);
        }
        write_fields(&p, m, body);
        return close_frame(out, mark, &p);
}

static bool holds_envelope(struct bytes map)
{
        static const char *const keys[] = {"op", "event", "seq", "ok"};
        struct bytes value;

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                if (wire_lookup(map, keys[i], &value))
                        return true;
        return false;
}

int wire_encode_op(struct buf *out, const char *op, uint64_t seq, struct bytes args)
{
        struct cursor c = cursor_over(args);
        struct wire_value head;
        struct pack p;
        size_t mark;

        if (wire_check(args) || cursor_read(&c, &head) || head.tag != TAG_MAP || holds_envelope(args))
                return -EINVAL;
        mark = open_frame(out, &p);
        pack_map(&p, (size_t)head.count + 2);
        pack_entry_text(&p, "op", op);
        pack_entry_uint(&p, "seq", seq);
        pack_raw(&p, (struct bytes){c.at, (size_t)(c.end - c.at)});
        return close_frame(out, mark, &p);
}

int wire_encode_refusal(struct buf *out, uint64_t seq, const struct wire_refusal *why, int64_t retry_after_ms)
{
        struct wire_failure body = {0};
        struct pack p;
        size_t mark = open_frame(out, &p);

        WIRE_SET(&body, failure, code, wire_str(wire_codes[why->code].name));
        WIRE_SET(&body, failure, message, wire_str(why->message));
        if (retry_after_ms >= 0)
                WIRE_SET(&body, failure, retry_after, (uint64_t)retry_after_ms);
        pack_map(&p, 3);
        pack_entry_uint(&p, "seq", seq);
        pack_entry_bool(&p, "ok", false);
        pack_text(&p, "error");
        write_map(&p, WIRE_MESSAGE(failure), &body);
        return close_frame(out, mark, &p);
}

int wire_encode_map(struct buf *out, const struct wire_message *m, const void *body)
{
        size_t mark = buf_size(out);
        struct pack p;

        pack_init(&p, out);
        write_map(&p, m, body);
        if (p.error)
                out->len = out->head + mark;
        return p.error;
}
