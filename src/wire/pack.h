/*
 * Writing MessagePack into a bounded buffer with msgpack-c. The first failure sticks in `error`; check it once at the end.
 */
#pragma once

#include "base/buf.h"

#include <msgpack/pack.h>
#include <stdbool.h>
#include <stdint.h>

struct pack {
        msgpack_packer mp;
        struct buf *out;
        int error; /* 0, or the first -ENOBUFS or -ENOMEM */
};

void pack_init(struct pack *p, struct buf *out);

void pack_nil(struct pack *p);
void pack_bool(struct pack *p, bool v);
void pack_uint(struct pack *p, uint64_t v);
void pack_int(struct pack *p, int64_t v);
void pack_double(struct pack *p, double v);
void pack_str(struct pack *p, struct bytes s);
void pack_text(struct pack *p, const char *s);
void pack_bin(struct pack *p, struct bytes s);
/* Bytes that are one encoded value already. */
void pack_raw(struct pack *p, struct bytes encoded);
void pack_array(struct pack *p, size_t n);
void pack_map(struct pack *p, size_t n);

/* A map or array whose size is known only at its end: open, write n entries, close with n. */
size_t pack_map_open(struct pack *p);
void pack_map_close(struct pack *p, size_t mark, uint32_t n);
size_t pack_array_open(struct pack *p);
void pack_array_close(struct pack *p, size_t mark, uint32_t n);

/* key and value in one call, for maps. */
void pack_entry_text(struct pack *p, const char *key, const char *value);
void pack_entry_str(struct pack *p, const char *key, struct bytes value);
void pack_entry_uint(struct pack *p, const char *key, uint64_t value);
void pack_entry_int(struct pack *p, const char *key, int64_t value);
void pack_entry_double(struct pack *p, const char *key, double value);
void pack_entry_bool(struct pack *p, const char *key, bool value);
void pack_entry_raw(struct pack *p, const char *key, struct bytes encoded);
