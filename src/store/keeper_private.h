/* What the files of the store's process share; nobody else includes this. */
#pragma once

#include "store/engine.h"
#include "wire/channel.h"

enum {
        BATCH_MAX = 4096,                 /* changes of one commit */
        BATCH_BYTES = 8 * 1024 * 1024,    /* and about how many bytes */
        FORGET_MAX = 64 * 1024,           /* records that wait to be deleted; more are found by their time to live */
};

/* What became of the changes up to `through`, from the run before on. */
struct batch_run {
        uint64_t through;
        uint64_t outcome; /* index of the word in done.outcome */
};
enum { OUTCOME_KEPT, OUTCOME_UNAVAILABLE, OUTCOME_STALE };

struct batch {
        bool open;  /* a transaction is */
        int failed; /* why all of it is refused: an enum store_condition or a negative error; 0: it is not */
        uint64_t changes;
        size_t bytes;
        struct batch_run runs[BATCH_MAX];
        size_t n_runs;
};

struct keeper {
        struct channel channel;
        struct store *store;
        const struct store_ops *ops;
        struct batch batch;
        bool opened, ended;

        bool available, broken; /* broken: reopen before the next try */
        int64_t probe_at, probe_wait;

        uint64_t forget[FORGET_MAX]; /* a ring */
        size_t forget_head, n_forget;
        int64_t forget_at; /* when what no commit has taken along gets one of its own */
        int64_t expire_at;
        bool compacting;

        bool load_asked;
        struct wire_store_load load;

        uint64_t commits, changes, refused, largest;
        int64_t commit_ns;
};

/* Queues a message. Negative: the process must end. */
int keeper_send(struct keeper *k, const struct wire_message *m, uint64_t seq, const void *body);

/* keeper_batch.c: changes, and whether they can be made */

/* A change that came in, with the function that makes it. */
int batch_change(struct keeper *k, uint64_t number, size_t bytes, int (*make)(struct keeper *, const void *), const void *body);
/* Commits, and tells what became of all of it. Negative: the process must end. */
int batch_finish(struct keeper *k);
/* Something can't be written: rolls back, and refuses from now on. */
int keeper_lose(struct keeper *k, int condition);
/* Tries again when it is time to. */
int keeper_probe(struct keeper *k);

/* keeper_chores.c: what is done between the batches */

int keeper_send_page(struct keeper *k);
/* Deletes some of the records that were let go, in the transaction that is open. */
int keeper_forget_some(struct keeper *k);
/* One small step of deleting and compacting, if there is anything to do. */
int keeper_chore(struct keeper *k);
/* When the next one is due on the monotonic clock; INT64_MAX: none. */
int64_t keeper_next_chore(const struct keeper *k);
