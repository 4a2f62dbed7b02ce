/*
 * The arena: one fixed run of memory that holds a whole JavaScript world. Its size is a task's memory limit,
 * exactly. arena_keep() copies what is used into an image; arena_restore() copies one back and wipes what was
 * used above it, so that a task starts from that very world and finds nothing of the last one. There may be
 * several images, of any size; a restore costs what its image and the world before it are large.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Maps the arena; once in a process. */
int arena_map(size_t size);

/* The three allocation functions of the engine; udata is not used. */
void *arena_alloc(void *udata, size_t n);
void *arena_realloc(void *udata, void *p, size_t n);
void arena_free(void *udata, void *p);

struct arena_image {
        uint8_t *bytes; /* read-only */
        size_t len, used;
};

/* Keeps what is in the arena now. Nothing may be under way in the engine. -ENOMEM. */
int arena_keep(struct arena_image *image);
void arena_restore(const struct arena_image *image);
void arena_drop(struct arena_image *image);
/* How large an image would be now. */
size_t arena_extent(void);

/* From here on arena_peak() counts what is used above this image. */
void arena_count_above(const struct arena_image *image);
/* Most bytes in use above it since the last restore. */
size_t arena_peak(void);
/* Whether an allocation failed since the last restore and none of its size succeeded after it. */
bool arena_denied(void);
