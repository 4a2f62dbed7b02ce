/*
 * Strings on their way in and out. The engine keeps them as CESU-8 (a character beyond U+FFFF is two
 * surrogates of three bytes each), and takes some byte sequences that are no UTF-8 for symbols and for keys
 * of its own that must stay out of a task's reach. So nothing from outside is pushed unchecked: what is not
 * UTF-8 becomes U+FFFD, both ways.
 */
#pragma once

#include "base/buf.h"

#include <duktape.h>
#include <stdbool.h>

/* Pushes bytes that should be UTF-8. */
void text_push(duk_context *ctx, struct bytes utf8);

/* The same into a buffer, for the compiler to read from there. -ENOBUFS, -ENOMEM. */
int text_append_engine(struct buf *out, struct bytes utf8);

/* Size as UTF-8, and the writing of just so many bytes, of an engine's string. */
size_t text_utf8_size(struct bytes s);
void text_write_utf8(uint8_t *out, struct bytes s);

/* How many bytes of s are the characters that take no more than room as UTF-8. */
size_t text_part(struct bytes s, size_t room);

/* Appends an engine's string as UTF-8; whole or, if the bound forbids that, not at all. */
int text_append(struct buf *out, struct bytes s);

/* The same with as many whole characters as the buffer's bound lets in; false if these are not all. */
bool text_append_part(struct buf *out, struct bytes s);

/* Whether an engine's string is over the buffer's bound at first sight, for what must not measure a giant:
 * that would take longer than a deadline waits for code outside of the engine. */
bool text_is_giant(const struct buf *out, struct bytes s);

/* The string at idx, borrowed from the value stack. */
struct bytes text_at(duk_context *ctx, duk_idx_t idx);
