/*
 * What keeps tasks: the one interface behind which the engines stand. `memory` and `sqlite` are there; a shared SQL server
 * can be the third, without the master or the frames knowing: a change names its task by place, a claim carries its owner,
 * a lease and a fencing token, and the engine alone decides whether the claim still holds.
 *
 *   begin   accept | attempt | release | end | setting | forget ...   commit, or rollback
 *
 * Nothing of a transaction is kept before commit gave 0, and all of it is then. Every change may be sent again.
 */
#pragma once

#include "wire/message.h"

#include <stdbool.h>

enum store_condition {
        STORE_STALE = 1,   /* another claim has a greater token, or there is no such task; the transaction goes on */
        STORE_UNAVAILABLE, /* nothing can be written now: disk full, no memory. Roll back, try again later */
        STORE_BROKEN,      /* what was written can't be relied on. Roll back, then reopen before anything else */
        STORE_CORRUPT,     /* the file is damaged, or no store */
        STORE_NEWER,       /* a later version wrote it */
        STORE_LOCKED,      /* another process has it */
};

enum { STORE_WHY = 512, STORE_PATH = 4096, STORE_OWNER = 16 };

/* The words of the message `open`, in its order. */
enum store_sync { STORE_SYNC_FULL, STORE_SYNC_NORMAL, STORE_SYNC_OFF };
enum store_state { STORE_QUEUED, STORE_RUNNING, STORE_SUCCEEDED, STORE_FAILED, STORE_CANCELLED, STORE_DEAD };

struct store_config {
        const char *path;
        enum store_sync sync;
        uint8_t owner[STORE_OWNER];
        bool damaged;    /* for reading what can be read: not looked at for damage, nor upgraded */
        const char *vfs; /* SQLite's; NULL: the system's */
};

struct store_info {
        uint64_t first_place, last_place, bytes;
        uint32_t version;
        char backup[STORE_PATH]; /* "": it was not upgraded */
};

struct store_figures {
        uint64_t bytes, free_bytes, log_bytes;
};

struct store_ops;

/* Embedded in an engine's own. */
struct store {
        const struct store_ops *ops;
        char why[STORE_WHY]; /* a sentence about the last condition or failure */
};

/* Who takes what is loaded; its bytes are good during the call. Nonzero stops: this one does not belong to the page. */
struct store_reader {
        int (*row)(struct store_reader *, const struct wire_store_row *);
        int (*setting)(struct store_reader *, const struct wire_store_project *);
};

/* Places above `after`, up to `through`. */
struct store_page {
        uint64_t after, through;
        uint64_t last; /* out: the last one taken, or after */
        bool more;     /* out: whether others follow */
};

/* All return 0, an enum store_condition or a negative error, unless they say otherwise. */
struct store_ops {
        const char *name;
        /* On failure *out is there all the same, if there was memory: for its `why`, and to be closed. */
        int (*open)(const struct store_config *config, struct store **out, struct store_info *info);
        void (*close)(struct store *);
        /* After STORE_BROKEN: lets go of everything that was held of the file and makes sure that all that can be read is on
         * disk, so that a change which is found there already may be acknowledged. */
        int (*reopen)(struct store *);
        /* Writes something small, outside of a transaction. */
        int (*probe)(struct store *);

        int (*begin)(struct store *);
        int (*commit)(struct store *);
        void (*rollback)(struct store *);

        int (*accept)(struct store *, const struct wire_store_accept *);
        int (*attempt)(struct store *, const struct wire_store_attempt *);
        int (*release)(struct store *, const struct wire_store_release *);
        int (*end)(struct store *, const struct wire_store_end *);
        int (*setting)(struct store *, const struct wire_store_setting *);
        /* An unknown place is none of its business. */
        int (*forget)(struct store *, uint64_t place);
        /* Deletes ended tasks whose time is over, up to `limit`; *n says how many. Inside a transaction. */
        int (*expire)(struct store *, uint64_t now_ms, unsigned int limit, unsigned int *n);

        int (*load)(struct store *, struct store_page *, struct store_reader *);
        int (*settings)(struct store *, struct store_reader *);

        /* One small step outside of a transaction; *more: whether there is another. */
        int (*compact)(struct store *, bool *more);
        int (*measure)(struct store *, struct store_figures *);
};

extern const struct store_ops store_memory, store_sqlite;

/* The engine of this name; NULL: none. */
const struct store_ops *store_engine(struct bytes name);

const char *store_condition_name(int condition);

/* Writes the sentence and returns the condition, so that a failing function can end with it. */
int store_say(struct store *s, int condition, const char *format, ...) __attribute__((format(printf, 3, 4)));
