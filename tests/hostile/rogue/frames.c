/* Along the rows of the table, as the encoder walks them, but for what it would refuse. */
#include "frames.h"

#include "wire/codec.h"
#include "wire/pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH = 40, LARGE = 300000 };

uint64_t dice_roll(struct dice *d, uint64_t n)
{
        uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return (z ^ (z >> 31)) % n;
}

/* ---- values ---- */

static const char *const words[] = {"", "default", "../../etc/passwd", "a", "js", "seccomp", "enforced",
        "TASK_ERROR", "NO_SUCH_CODE", "\xff\xfe", "00000000-0000-0000-0000-000000000000", "%n%s%p",
        "\n\x1b[2J", "stdout"};

static void any_number(struct dice *d, struct pack *p)
{
        static const uint64_t edges[] = {
                0, 1, 2, 127, 128, 65535, 65536, INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};

        if (dice_once_in(d, 4))
                return pack_int(p, -(int64_t)dice_roll(d, INT64_MAX));
        if (dice_once_in(d, 6))
                return pack_double(p, dice_once_in(d, 2)   ? (double)NAN
                                      : dice_once_in(d, 2) ? (double)INFINITY
                                                           : 1e308);
        pack_uint(p, edges[dice_roll(d, sizeof(edges) / sizeof(edges[0]))] + dice_roll(d, 3));
}

static struct bytes any_bytes(struct dice *d, int64_t most)
{
        static uint8_t data[LARGE];
        size_t n = dice_roll(d, dice_once_in(d, 40) ? LARGE : 200);

        if (most >= 0 && n > (size_t)most)
                n = (size_t)most;
        memset(data, (int)dice_roll(d, 256), n);
        return (struct bytes){data, n};
}

static void any_text(struct dice *d, struct pack *p)
{
        if (dice_once_in(d, 5))
                pack_str(p, any_bytes(d, -1));
        else
                pack_text(p, words[dice_roll(d, sizeof(words) / sizeof(words[0]))]);
}

static void any_value(struct dice *d, struct pack *p, unsigned int depth)
{
        /* The count that is announced may be any. */
        size_t n = dice_roll(d, 4), announced = dice_once_in(d, 30) ? UINT32_MAX >> dice_roll(d, 32) : n;
        uint64_t kind = dice_roll(d, depth ? 9 : 7);

        if (kind < 2)
                return any_text(d, p);
        if (kind < 4)
                return any_number(d, p);
        if (kind == 4)
                return pack_bool(p, dice_once_in(d, 2));
        if (kind == 5)
                return pack_nil(p);
        if (kind == 6)
                return pack_bin(p, any_bytes(d, -1));
        if (kind == 7)
                pack_array(p, announced);
        else
                pack_map(p, announced);
        for (size_t i = 0; i < (kind == 7 ? n : 2 * n); i++)
                any_value(d, p, dice_once_in(d, 20) ? DEPTH : depth - 1);
}

/* ---- fields ---- */

static void write_fields(struct dice *d, struct pack *p, const struct wire_message *m);

static void write_integer(struct dice *d, struct pack *p, const struct wire_field *f, uint64_t seq)
{
        int64_t edge = dice_once_in(d, 2) ? f->min : f->max;

        if (!strcmp(f->name, "run") && !dice_once_in(d, 4))
                return pack_uint(p, seq);
        if (dice_once_in(d, 8))
                return any_number(d, p);
        pack_int(p, edge + (dice_once_in(d, 4) ? (edge > 0 ? edge < INT64_MAX : -1) : 0));
}

struct bytes frames_layers;

static void write_layers(struct dice *d, struct pack *p)
{
        uint32_t n = (uint32_t)dice_roll(d, 4);

        if (frames_layers.len)
                return pack_raw(p, frames_layers);
        pack_map(p, n);
        while (n--) {
                pack_text(p, words[dice_roll(d, sizeof(words) / sizeof(words[0]))]);
                pack_text(p, dice_once_in(d, 10) ? "yes" : "partial");
        }
}

static void write_logs(struct dice *d, struct pack *p)
{
        uint32_t n = (uint32_t)dice_roll(d, 4);

        pack_array(p, n);
        while (n--)
                write_fields(d, p, WIRE_MESSAGE(log_line));
}

static void write_right(struct dice *d, struct pack *p, const struct wire_field *f, uint64_t seq)
{
        if (f->type == WIRE_NEST)
                return write_fields(d, p, f->nested);
        if (f->type == WIRE_WORD)
                return pack_str(p, wire_word(f->words, dice_roll(d, 3)));
        if (f->type == WIRE_UINT || f->type == WIRE_INT)
                return write_integer(d, p, f, seq);
        if (f->type == WIRE_BOOL)
                return pack_bool(p, dice_once_in(d, 2));
        if (f->type == WIRE_STR && strcmp(f->name, "code"))
                return any_text(d, p);
        if (f->type == WIRE_STR)
                return pack_text(p, words[dice_roll(d, 2) + 7]);
        if (f->type == WIRE_BIN)
                return pack_bin(p, any_bytes(d, f->max));
        if (!strcmp(f->name, "layers"))
                return write_layers(d, p);
        if (!strcmp(f->name, "logs"))
                return write_logs(d, p);
        any_value(d, p, 4);
}

static bool is_wanted(struct dice *d, const struct wire_field *f)
{
        return f->need == WIRE_MUST ? !dice_once_in(d, 25) : dice_once_in(d, 3);
}

static void write_entries(
        struct dice *d, struct pack *p, const struct wire_message *m, uint64_t seq, uint32_t *n)
{
        for (int i = 0; i < m->n_fields; i++) {
                const struct wire_field *f = &m->fields[i];

                if (!is_wanted(d, f))
                        continue;
                /* Twice, under another name, of another kind: each once in a while. */
                for (uint64_t k = dice_once_in(d, 60) ? 2 : 1; k; k--, (*n)++) {
                        pack_text(p, dice_once_in(d, 60) ? words[dice_roll(d, 10)] : f->name);
                        if (dice_once_in(d, 25))
                                any_value(d, p, 3);
                        else
                                write_right(d, p, f, seq);
                }
        }
}

static void write_fields(struct dice *d, struct pack *p, const struct wire_message *m)
{
        size_t mark = pack_map_open(p);
        uint32_t n = 0;

        write_entries(d, p, m, 0, &n);
        pack_map_close(p, mark, n);
}

/* ---- frames ---- */

static uint64_t lie_about(struct dice *d, uint64_t seq)
{
        static const uint64_t others[] = {0, 1, UINT32_MAX, UINT64_MAX, INT64_MAX};

        if (!dice_once_in(d, 3))
                return seq;
        if (dice_once_in(d, 2))
                return seq + dice_roll(d, 5) - 2;
        return others[dice_roll(d, sizeof(others) / sizeof(others[0]))];
}

static void write_head(
        struct dice *d, struct pack *p, const struct wire_message *m, uint64_t seq, uint32_t *n)
{
        bool reply = m->kind == WIRE_REPLY || dice_once_in(d, 40);

        if (reply) {
                pack_entry_bool(p, "ok", !dice_once_in(d, 6));
                ++*n;
        }
        if (!reply || dice_once_in(d, 40)) {
                pack_entry_text(p, m->kind == WIRE_EVENT ? "event" : "op", m->name);
                ++*n;
        }
        if (reply || m->kind == WIRE_CALL || dice_once_in(d, 10)) {
                pack_entry_uint(p, "seq", lie_about(d, seq));
                ++*n;
        }
}

static void put_length(uint8_t *at, uint32_t length)
{
        const uint8_t bytes[4] = {
                (uint8_t)(length >> 24), (uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length};

        memcpy(at, bytes, sizeof(bytes));
}

static void write_frame(struct dice *d, struct buf *out, const struct wire_message *m, uint64_t seq)
{
        size_t start = buf_size(out), mark;
        struct pack p;
        uint32_t n = 0;

        pack_init(&p, out);
        if (buf_append(out, "\0\0\0\0", 4) < 0)
                abort();
        mark = pack_map_open(&p);
        write_head(d, &p, m, seq, &n);
        write_entries(d, &p, m, seq, &n);
        pack_map_close(&p, mark, n);
        if (p.error)
                abort();
        put_length(buf_head(out) + start, (uint32_t)(buf_size(out) - start - 4));
}

void frames_any(struct dice *d, struct buf *out, uint64_t seq)
{
        write_frame(d, out, &wire_messages[dice_roll(d, WIRE_IDS)], seq);
}

void frames_of_worker(struct dice *d, struct buf *out, uint64_t seq)
{
        const struct wire_message *m;

        do
                m = &wire_messages[dice_roll(d, WIRE_IDS)];
        while (!(m->from & WIRE_WORKER) || m->kind == WIRE_RECORD);
        write_frame(d, out, m, seq);
}

void frames_reply(struct buf *out, uint64_t seq, uint64_t value)
{
        size_t start = buf_size(out);
        struct pack p;

        pack_init(&p, out);
        if (buf_append(out, "\0\0\0\0", 4) < 0)
                abort();
        pack_map(&p, 3);
        pack_entry_bool(&p, "ok", true);
        pack_entry_uint(&p, "seq", seq);
        pack_entry_uint(&p, "value", value);
        put_length(buf_head(out) + start, (uint32_t)(buf_size(out) - start - 4));
}

void frames_mutate(struct dice *d, struct buf *out)
{
        static const uint32_t lengths[] = {
                0, 1, 3, 0xffffffff, 0x7fffffff, 0x01000000, 0x01000001, 0x80000000};
        size_t n = buf_size(out);

        for (uint64_t k = 1 + dice_roll(d, 6); k && n; k--)
                buf_head(out)[dice_roll(d, n)] = (uint8_t)dice_roll(d, 256);
        if (dice_once_in(d, 3) && n >= 4)
                put_length(buf_head(out), lengths[dice_roll(d, sizeof(lengths) / sizeof(lengths[0]))]);
        if (dice_once_in(d, 3) && n)
                buf_consume(out, dice_roll(d, n));
        if (dice_once_in(d, 3) && buf_size(out))
                out->len -= dice_roll(d, buf_size(out));
        if (dice_once_in(d, 4)) {
                struct bytes more = any_bytes(d, -1);

                buf_append(out, more.data, more.len);
        }
}
