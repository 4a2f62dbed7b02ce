/*
 * The allocator under the JavaScript heap. All of its state lies at the start of the memory it manages, so
 * that copying the used part back restores it together with everything that was allocated (arena.h).
 *
 * Two-level segregated fit: constant time, freed neighbours are joined at once. What was never used lies
 * above `wild` and is taken only when no free block fits, so that memory stays dense and untouched pages stay
 * untouched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAP_ROWS = 34, HEAP_COLUMNS = 32 }; /* blocks up to 2^40 bytes */

struct heap_block;

struct heap {
        uint8_t *wild; /* everything from here to end was never used, or was joined again */
        uint8_t *top;  /* the highest that wild has been */
        uint8_t *end;
        size_t used, peak; /* bytes handed out, with their headers */
        size_t denied;     /* size of an allocation that failed and was not made good since; 0 = none */
        uint64_t rows;     /* bit r: row r has a free block */
        uint32_t columns[HEAP_ROWS];
        struct heap_block *lists[HEAP_ROWS][HEAP_COLUMNS];
};

/* Lays a heap over size bytes at base, which must be aligned to 16 and larger than struct heap. */
struct heap *heap_init(void *base, size_t size);

/* Aligned to 8. NULL when nothing fits (and for n = 0). */
void *heap_alloc(struct heap *h, size_t n);
/* As realloc(3): NULL leaves the block as it was; n = 0 frees it. */
void *heap_realloc(struct heap *h, void *p, size_t n);
void heap_free(struct heap *h, void *p);
