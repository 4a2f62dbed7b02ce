/*
 * The worlds that are kept as images: the one that every task starts from, and for each module that was
 * called lately the one in which it is loaded already. They are bounded in number and bytes; the one that was
 * not used for longest makes room. What a task brings never gets into one: a module is loaded before its
 * method and arguments are looked at.
 */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum { WORLDS_MAX = 16, WORLDS_BYTES = 64 * 1024 * 1024 };

struct world;

/* What is in the arena now becomes the world that tasks start from. */
int worlds_init(void);
size_t worlds_first_bytes(void);

/* The one with this module loaded; NULL. */
struct world *worlds_find(struct bytes name);

/* Makes it the one in the arena, the first one for NULL: costs nothing when it is there already. */
void worlds_enter(struct world *w);
/* The task is over: the world that it started from is laid out again, for the next one may want the same. */
void worlds_leave(void);

/* Keeps what is in the arena now as the world of this module; proof is what it rests on, as its encoded
 * elements, and asked_at when the first of them was had. One that does not fit is not kept. */
void worlds_keep(struct bytes name, struct bytes proof, uint32_t n_proofs, int64_t asked_at);
void worlds_drop(struct world *w);

/* When what it rests on was last found to hold (monotonic ns), and what that is. */
int64_t worlds_checked_at(const struct world *w);
void worlds_set_checked(struct world *w, int64_t at);
struct bytes worlds_proof(const struct world *w, uint32_t *n);
