/*
 * The master's end of the loader, which exists while roots are configured. What workers ask goes to it as it
 * came, and its answers go back; the master looks at no module. Questions are answered in their order; one
 * whose asker is gone is answered all the same, and that answer is passed over.
 */
#pragma once

#include "master/subprocess.h"

struct loader_link;

/* One who asks, one question at a time. A part of the worker. */
struct asker {
        struct list node; /* of those who wait */
        uint64_t token;   /* the question's number at the loader */
        uint64_t seq;     /* the asker's own number for it */
};

struct loader_link_ops {
        /* m is load_reply or check_reply. The asker waits no more. */
        void (*on_answer)(struct asker *, const struct wire_message *m, const void *body);
        void (*on_refused)(struct asker *, const struct wire_refusal *);
};

struct loader_link {
        struct subprocess process;
        const struct loader_link_ops *ops;
        struct buf roots;  /* as an encoded array */
        struct list waiting;
        uint64_t questions; /* that were asked of this loader */
        uint32_t under_way; /* questions without an answer, those of askers that are gone included */
        struct ev_timer silence;
};

/* The starter may know no such program: then there is no loader, whatever the roots. */
void loader_link_init(struct loader_link *l, struct loop *loop, struct starter_link *starter,
        const struct config_worker *config, const struct loader_link_ops *ops);
void loader_link_fini(struct loader_link *l);

/* At start and after a reload: starts the loader, or another one when the roots are others, or ends it when
 * there are none. */
int loader_link_configure(struct loader_link *l, const struct config_strings *roots);

/* Whether there are roots, and so a loader, or one that will come again. */
bool loader_link_is_wanted(const struct loader_link *l);

void asker_init(struct asker *a);
static inline bool asker_waits(const struct asker *a)
{
        return !list_empty(&a->node);
}

/* m is load or check. Positive: refused, with LOADER_UNAVAILABLE or MODULE_NOT_FOUND. The asker must not wait
 * already. */
int loader_link_ask(struct loader_link *l, struct asker *a, uint64_t seq, const struct wire_message *m,
        const void *body, struct wire_refusal *why);
/* It wants no answer any more. Twice is harmless. */
void asker_forget(struct asker *a);
