/* Changes for tests of engines, made from a few numbers; a directory of one's own; what an engine holds, as text. */
#pragma once

#include "store/engine.h"

enum { SHELF_TEXT = 1 << 20 };

/* A fresh directory and the path of a store in it. */
void shelf_open(char path[static 128]);
/* Removes both. */
void shelf_remove(const char *path);

struct store_config shelf_config(const char *path, uint8_t owner);

struct wire_store_accept shelf_accept(uint64_t place, size_t bytes);
struct wire_store_attempt shelf_attempt(uint64_t place, uint64_t fence);
struct wire_store_release shelf_release(uint64_t place, uint64_t fence, uint64_t not_before);
/* state: the index in end.state. expires_at 0: never. */
struct wire_store_end shelf_end(uint64_t place, uint64_t fence, uint64_t state, uint64_t expires_at);

/* Every row and setting, one a line. */
void shelf_describe(struct store *s, char text[static SHELF_TEXT]);
/* The state of one place; -1: it is not there. */
int shelf_state(struct store *s, uint64_t place);
