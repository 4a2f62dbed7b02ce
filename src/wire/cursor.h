/*
 * A reader over MessagePack bytes that allocates nothing and never reads past the end. msgpack-c's own unpacker builds
 * objects for a whole frame, and reserves memory for a count before it has seen the elements; the supervisor needs
 * neither: it checks a frame once (wire_check), then picks the few values it decides by and passes the rest on as bytes.
 */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum { WIRE_DEPTH_MAX = 32 };

enum wire_tag { TAG_NIL, TAG_BOOL, TAG_UINT, TAG_INT, TAG_FLOAT, TAG_STR, TAG_BIN, TAG_ARRAY, TAG_MAP, TAG_EXT };

struct wire_value {
        enum wire_tag tag;
        union {
                bool boolean;
                uint64_t uint; /* TAG_UINT */
                int64_t sint;  /* TAG_INT: always negative */
                double real;
                struct bytes bytes; /* STR, BIN, EXT: the payload */
                uint32_t count;     /* ARRAY: elements; MAP: pairs */
        };
        int8_t ext_type;
};

struct cursor {
        const uint8_t *at, *end;
};

static inline struct cursor cursor_over(struct bytes b)
{
        return (struct cursor){b.data, b.data + b.len};
}

static inline bool cursor_done(const struct cursor *c)
{
        return c->at == c->end;
}

/* Why bytes are refused. */
enum cursor_fault {
        CURSOR_TRUNCATED = 1, /* ends inside a value */
        CURSOR_COUNT,         /* more elements announced than bytes are left */
        CURSOR_DEPTH,         /* nests deeper than WIRE_DEPTH_MAX */
        CURSOR_INVALID,       /* 0xc1, or bytes behind the value */
};

const char *cursor_fault_text(int fault);

/* Reads one value; of an array or map only its head. 0, or an enum cursor_fault. */
int cursor_read(struct cursor *c, struct wire_value *out);

/* Passes over one whole value and gives its bytes. 0, or an enum cursor_fault. */
int cursor_skip(struct cursor *c, struct bytes *out);
/* The same with less depth than WIRE_DEPTH_MAX. */
int cursor_skip_within(struct cursor *c, unsigned int depth_max, struct bytes *out);

/* Reads a string. 0, or an enum cursor_fault; CURSOR_INVALID for a value of another type. */
int cursor_str(struct cursor *c, struct bytes *out);

/* Whether these bytes are exactly one well-formed value within the depth limit. 0, or an enum cursor_fault. */
int wire_check(struct bytes b);
/* The same with less depth than WIRE_DEPTH_MAX. */
int wire_check_within(struct bytes b, unsigned int depth_max);

/* In a checked map: finds the value of a key. False if it is not there. */
bool wire_lookup(struct bytes map, const char *key, struct bytes *out);
/* The same, for a string value; false also for another type. */
bool wire_lookup_str(struct bytes map, const char *key, struct bytes *out);
