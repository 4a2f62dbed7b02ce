/* Between JSON text and MessagePack. poppo.h says what becomes of values that only one of them has. */
#pragma once

#include "base/buf.h"
#include "poppo/poppo.h"

#include <stdbool.h>

enum { JSON_WHY_MAX = 256 };

/* Appends a whole text's value. -EINVAL and a sentence in `why`: not JSON, or nested too deep; -ENOBUFS, -ENOMEM. */
int json_to_msgpack(const char *text, struct buf *out, char why[static JSON_WHY_MAX]);

/* The same, with bytes in place of the strings at these pointers. -EINVAL also where there is no string. */
int json_to_msgpack_with(const char *text, const struct poppo_bytes *bytes, size_t n, struct buf *out,
        char why[static JSON_WHY_MAX]);

/* Whether a token of a JSON Pointer, up to its '/' or end, names this key: ~1 stands for '/', ~0 for '~'. */
bool json_token_is(const char *token, struct bytes key);

/* Appends one checked value as compact text, without a NUL. -ENOBUFS, -ENOMEM. */
int json_from_msgpack(struct bytes value, struct buf *out);
