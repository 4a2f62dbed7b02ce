/*
 * Intrusive binary heap: the owner embeds a heap_node and says by `before` who goes first. A node knows its place, so
 * that any one can be taken out or re-sorted in O(log n).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct heap_node {
        size_t place; /* 0: in no heap */
};

struct heap {
        struct heap_node **nodes; /* from 1 on */
        size_t n, cap;
        bool (*before)(const struct heap_node *a, const struct heap_node *b);
};

void heap_init(struct heap *h, bool (*before)(const struct heap_node *a, const struct heap_node *b));
/* Frees the table, not the nodes. */
void heap_fini(struct heap *h);

/* Makes room for n nodes in all, so that as many heap_insert cannot fail. -ENOMEM. */
int heap_reserve(struct heap *h, size_t n);
/* Room must have been reserved; the node is in no heap. */
void heap_insert(struct heap *h, struct heap_node *node);
/* Harmless for a node that is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);
/* Call after the node's order has changed. */
void heap_update(struct heap *h, struct heap_node *node);

static inline bool heap_has(const struct heap_node *node)
{
        return node->place != 0;
}

static inline struct heap_node *heap_top(const struct heap *h)
{
        return h->n ? h->nodes[1] : NULL;
}
