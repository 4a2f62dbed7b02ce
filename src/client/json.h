/* Between JSON text and MessagePack. poppo.h says what becomes of values that only one of them has. */
#pragma once

#include "base/buf.h"

enum { JSON_WHY_MAX = 256 };

/* Appends a whole text's value. -EINVAL and a sentence in `why`: not JSON, or nested too deep; -ENOBUFS, -ENOMEM. */
int json_to_msgpack(const char *text, struct buf *out, char why[static JSON_WHY_MAX]);

/* Appends one checked value as compact text, without a NUL. -ENOBUFS, -ENOMEM. */
int json_from_msgpack(struct bytes value, struct buf *out);
