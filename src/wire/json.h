/* Between JSON text and MessagePack. poppo.h says what becomes of values that only one of them has. */
#pragma once

#include "base/buf.h"
#include "wire/cursor.h"

enum { JSON_WHY_MAX = 256 };

/* Appends a whole text's value. A sentence in `why` and -EINVAL: not JSON; -E2BIG: nests deeper than depth_max, which is at
 * most WIRE_DEPTH_MAX; -ENOBUFS, -ENOMEM. */
int json_to_msgpack(struct bytes text, unsigned int depth_max, struct buf *out, char why[static JSON_WHY_MAX]);

/* Appends one checked value as compact text, without a NUL. -ENOBUFS, -ENOMEM. */
int json_from_msgpack(struct bytes value, struct buf *out);
