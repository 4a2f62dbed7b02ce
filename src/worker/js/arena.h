/*
 * The arena: one fixed run of memory that holds a whole JavaScript world. Its size is a task's memory limit,
 * exactly. arena_keep() copies what is used; arena_restore() copies it back and wipes what was used above it,
 * so that the next task starts from the same world and finds nothing of the last one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Maps the arena; once in a process. */
int arena_map(size_t size);

/* The three allocation functions of the engine; udata is not used. */
void *arena_alloc(void *udata, size_t n);
void *arena_realloc(void *udata, void *p, size_t n);
void arena_free(void *udata, void *p);

/* Keeps what is in the arena now as the image. */
int arena_keep(void);
void arena_restore(void);

size_t arena_image_bytes(void);
/* Most bytes in use above the image since the last restore. */
size_t arena_peak(void);
/* Whether an allocation failed since the last restore and none of its size succeeded after it. */
bool arena_denied(void);
