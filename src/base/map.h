/*
 * Intrusive chained hash map. The owner embeds a map_node and compares keys itself:
 *   for (struct map_node *n = map_first(&m, h); n; n = map_next(n)) if (same key) ...
 * Grows with its content, in small steps; an insertion can fail only for memory, and then nothing changed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct map_node {
        struct map_node *next;
        uint64_t hash;
};

struct map {
        struct map_node **buckets;
        size_t n_buckets; /* a power of two, or 0 before the first insertion */
        size_t n_nodes;
        struct map_node **old; /* while it grows: what is not in buckets yet */
        size_t n_old, moved;   /* of these the first ones are empty */
};

void map_init(struct map *m);
/* Frees the table, not the nodes. */
void map_fini(struct map *m);

int map_insert(struct map *m, struct map_node *node, uint64_t hash);
void map_remove(struct map *m, struct map_node *node);

/* First node with exactly this hash; further ones by map_next. NULL: none. */
struct map_node *map_first(const struct map *m, uint64_t hash);
struct map_node *map_next(const struct map_node *node);

/* Hints for a map that is too large for the processor's caches: this hash will be needed soon. First its bucket is asked
 * for, and when that has come, the node that it points at. */
void map_prefetch_bucket(const struct map *m, uint64_t hash);
void map_prefetch_chain(const struct map *m, uint64_t hash);

/* Any order; the current node may be removed by the caller between calls only if it fetched the next one before. Nothing may
 * be inserted meanwhile. */
struct map_node *map_iterate(const struct map *m, struct map_node *after);

/* Keyed SipHash-like mixing is not needed for ids that we draw ourselves; names that users choose go through a
 * per-process secret so that nobody can aim at one bucket. */
uint64_t map_hash(const void *data, size_t len);
