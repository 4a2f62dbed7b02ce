/* The heap: an array from 1 on, so that the children of i are 2i and 2i+1 and a place of 0 means "nowhere". */
#include "master/heap.h"

#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { FIRST_CAP = 16 };

void heap_init(struct heap *h, bool (*before)(const struct heap_node *a, const struct heap_node *b))
{
        *h = (struct heap){.before = before};
}

void heap_fini(struct heap *h)
{
        free(h->nodes);
        *h = (struct heap){0};
}

int heap_reserve(struct heap *h, size_t n)
{
        size_t cap = h->cap ? h->cap : FIRST_CAP;
        struct heap_node **nodes;

        if (n < h->cap)
                return 0;
        while (cap <= n)
                cap += cap / 2;
        nodes = realloc(h->nodes, cap * sizeof(*nodes));
        if (!nodes)
                return error_origin(-ENOMEM);
        h->nodes = nodes;
        h->cap = cap;
        return 0;
}

static void put(struct heap *h, struct heap_node *node, size_t place)
{
        h->nodes[place] = node;
        node->place = place;
}

static void rise(struct heap *h, struct heap_node *node)
{
        size_t i = node->place;

        for (; i > 1 && h->before(node, h->nodes[i / 2]); i /= 2)
                put(h, h->nodes[i / 2], i);
        put(h, node, i);
}

static void sink(struct heap *h, struct heap_node *node)
{
        size_t i = node->place;

        for (size_t child; (child = 2 * i) <= h->n; i = child) {
                if (child < h->n && h->before(h->nodes[child + 1], h->nodes[child]))
                        child++;
                if (!h->before(h->nodes[child], node))
                        break;
                put(h, h->nodes[child], i);
        }
        put(h, node, i);
}

void heap_insert(struct heap *h, struct heap_node *node)
{
        assert(!heap_has(node) && h->n + 1 < h->cap);
        put(h, node, ++h->n);
        rise(h, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
        struct heap_node *last;
        size_t place = node->place;

        if (!place)
                return;
        assert(h->nodes[place] == node);
        node->place = 0;
        last = h->nodes[h->n--];
        if (last == node)
                return;
        put(h, last, place);
        heap_update(h, last);
}

void heap_update(struct heap *h, struct heap_node *node)
{
        assert(h->nodes[node->place] == node);
        rise(h, node);
        sink(h, node);
}
