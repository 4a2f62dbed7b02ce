/* Thin wrappers over msgpack-c's packer, so that callers check one error instead of fifty. */
#include "wire/pack.h"

#include <string.h>

enum { OPEN_HEAD = 5, MAP32 = 0xdf, ARRAY32 = 0xdd };

static int write_out(void *data, const char *bytes, size_t n)
{
        struct pack *p = data;

        if (!p->error)
                p->error = buf_append(p->out, bytes, n);
        return p->error;
}

void pack_init(struct pack *p, struct buf *out)
{
        p->out = out;
        p->error = 0;
        msgpack_packer_init(&p->mp, p, write_out);
}

/* Told each time where it lives: a struct pack may be returned and copied like any other value. */
static msgpack_packer *packer(struct pack *p)
{
        p->mp.data = p;
        return &p->mp;
}

void pack_nil(struct pack *p)
{
        msgpack_pack_nil(packer(p));
}

void pack_bool(struct pack *p, bool v)
{
        v ? msgpack_pack_true(packer(p)) : msgpack_pack_false(packer(p));
}

void pack_uint(struct pack *p, uint64_t v)
{
        msgpack_pack_uint64(packer(p), v);
}

void pack_int(struct pack *p, int64_t v)
{
        msgpack_pack_int64(packer(p), v);
}

void pack_double(struct pack *p, double v)
{
        msgpack_pack_double(packer(p), v);
}

void pack_str(struct pack *p, struct bytes s)
{
        msgpack_pack_str(packer(p), s.len);
        pack_raw(p, s);
}

void pack_text(struct pack *p, const char *s)
{
        pack_str(p, (struct bytes){(const uint8_t *)s, strlen(s)});
}

void pack_bin(struct pack *p, struct bytes s)
{
        msgpack_pack_bin(packer(p), s.len);
        pack_raw(p, s);
}

void pack_raw(struct pack *p, struct bytes encoded)
{
        if (encoded.len)
                write_out(p, (const char *)encoded.data, encoded.len);
}

void pack_array(struct pack *p, size_t n)
{
        msgpack_pack_array(packer(p), n);
}

void pack_map(struct pack *p, size_t n)
{
        msgpack_pack_map(packer(p), n);
}

/* A 32-bit head is written first and its count filled in later. The mark is an offset from the buffer's first live
 * byte, since the buffer may move while it grows. */
static size_t open_head(struct pack *p, char head)
{
        const char bytes[OPEN_HEAD] = {head};
        size_t mark = buf_size(p->out);

        write_out(p, bytes, sizeof(bytes));
        return mark;
}

static void close_head(struct pack *p, size_t mark, uint32_t n)
{
        const uint8_t count[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

        if (!p->error)
                memcpy(buf_head(p->out) + mark + 1, count, sizeof(count));
}

size_t pack_map_open(struct pack *p)
{
        return open_head(p, (char)MAP32);
}

void pack_map_close(struct pack *p, size_t mark, uint32_t n)
{
        close_head(p, mark, n);
}

size_t pack_array_open(struct pack *p)
{
        return open_head(p, (char)ARRAY32);
}

void pack_array_close(struct pack *p, size_t mark, uint32_t n)
{
        close_head(p, mark, n);
}

void pack_entry_text(struct pack *p, const char *key, const char *value)
{
        pack_text(p, key);
        pack_text(p, value);
}

void pack_entry_str(struct pack *p, const char *key, struct bytes value)
{
        pack_text(p, key);
        pack_str(p, value);
}

void pack_entry_uint(struct pack *p, const char *key, uint64_t value)
{
        pack_text(p, key);
        pack_uint(p, value);
}

void pack_entry_int(struct pack *p, const char *key, int64_t value)
{
        pack_text(p, key);
        pack_int(p, value);
}

void pack_entry_double(struct pack *p, const char *key, double value)
{
        pack_text(p, key);
        pack_double(p, value);
}

void pack_entry_bool(struct pack *p, const char *key, bool value)
{
        pack_text(p, key);
        pack_bool(p, value);
}

void pack_entry_raw(struct pack *p, const char *key, struct bytes encoded)
{
        pack_text(p, key);
        pack_raw(p, encoded);
}
