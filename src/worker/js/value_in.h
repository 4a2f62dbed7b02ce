/*
 * From MessagePack to JavaScript. The bytes were checked by wire_check(), so they nest at most 32 deep.
 *
 *   nil                      null
 *   true, false              themselves
 *   integer, float           a number, the nearest one for integers beyond 2^53
 *   str                      a string, bytes that are not UTF-8 replaced
 *   bin                      a Uint8Array
 *   array                    an array
 *   map                      an object with an own property for each key, also for "__proto__"; a key that is
 * not a string becomes one as JavaScript does it, and of equal keys the last one counts timestamp (ext -1) a
 * Date any other extension      {type, data}, data being a Uint8Array
 */
#pragma once

#include "wire/cursor.h"

#include <duktape.h>

/* Pushes the next value. Throws for memory, and what a task's own toString throws where a key needs one. */
void value_push(duk_context *ctx, struct cursor *c);

/* Defines each entry of a map as an own property of the object at idx, whatever setters it inherits. */
void value_define_entries(duk_context *ctx, duk_idx_t idx, struct cursor *c);

/* Pushes each element of an encoded array, none for empty bytes, and says how many. */
duk_idx_t value_push_elements(duk_context *ctx, struct bytes array);
