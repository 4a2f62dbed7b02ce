/* Between JSON text and MessagePack. poppo.h says what becomes of values that only one of them has. */
#pragma once

#include "base/buf.h"
#include "wire/cursor.h"

#include <stdbool.h>

enum { JSON_WHY_MAX = 256 };

/* Draws what keeps others from aiming at one bucket of an object's table, while its file can still be read. */
void json_seed(void);

/* Appends a whole text's value. A sentence in `why` and -EINVAL: not JSON; -E2BIG: nests deeper than depth_max, which is at
 * most WIRE_DEPTH_MAX; -ENOBUFS, -ENOMEM. */
int json_to_msgpack(struct bytes text, unsigned int depth_max, struct buf *out, char why[static JSON_WHY_MAX]);

/* Bytes that stand where the text has a string; which one, a JSON Pointer says. */
struct json_bytes {
        const char *pointer;
        struct bytes bytes;
};

/* The same, with bytes in place of some strings. -EINVAL also where there is no string. */
int json_to_msgpack_with(struct bytes text, unsigned int depth_max, const struct json_bytes *bytes, size_t n, struct buf *out,
        char why[static JSON_WHY_MAX]);

/* Whether a token of a JSON Pointer, up to its '/' or end, names this key: ~1 stands for '/', ~0 for '~'. */
bool json_token_is(const char *token, struct bytes key);

/* Appends one checked value as compact text, without a NUL. -ENOBUFS, -ENOMEM. */
int json_from_msgpack(struct bytes value, struct buf *out);
