/* A list of C strings in one piece of memory, from a MessagePack array or map of strings: argv, environments,
 * rules. */
#pragma once

#include "base/buf.h"
#include "wire/codec.h"
#include "wire/cursor.h"

struct strings {
        char **items; /* NULL behind the last; the texts lie behind that */
        size_t n;
};

void strings_fini(struct strings *s);

/* From an encoded array of strings; empty bytes are an empty list. `what` names it in a refusal, which has
 * the code `fault`: an element that is no string, or has a NUL. Positive: refused. -ENOMEM. */
int strings_from_array(struct strings *s, struct bytes array, const char *what, enum wire_code fault,
        struct wire_refusal *why);

/* A string, without a NUL in it. */
bool strings_is_text(const struct wire_value *v);
/* Room for n pointers, the NULL behind them, and so many bytes of text behind that. -ENOMEM. */
int strings_allocate(struct strings *s, size_t n, size_t text);
