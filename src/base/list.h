/* Intrusive doubly linked ring. The owner embeds a node; an unlinked node points at itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
        struct list *next, *prev;
};

#define LIST_INIT(name) {&(name), &(name)}
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

static inline void list_init(struct list *l)
{
        l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
        return l->next == l;
}

static inline void list_insert_after(struct list *at, struct list *node)
{
        node->prev = at;
        node->next = at->next;
        at->next->prev = node;
        at->next = node;
}

static inline void list_push_front(struct list *l, struct list *node)
{
        list_insert_after(l, node);
}

static inline void list_push_back(struct list *l, struct list *node)
{
        list_insert_after(l->prev, node);
}

/* Unlinking twice is harmless: the node is left pointing at itself. */
static inline void list_unlink(struct list *node)
{
        node->prev->next = node->next;
        node->next->prev = node->prev;
        list_init(node);
}

static inline struct list *list_first(struct list *l)
{
        return list_empty(l) ? NULL : l->next;
}

#define list_entry(node, type, member) container_of(node, type, member)
#define list_first_entry(l, type, member) (list_empty(l) ? NULL : list_entry((l)->next, type, member))

#define list_for_each(it, l) for (struct list *it = (l)->next; it != (l); it = it->next)
/* The current node may be unlinked and freed inside the loop, its neighbours may not. */
#define list_for_each_safe(it, l)                                                                            \
        for (struct list *it = (l)->next, *it##_next = it->next; it != (l); it = it##_next, it##_next = it->next)
