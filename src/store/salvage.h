/* Reading what can be read of a damaged file. Inside store/ only. */
#pragma once

#include "store/sqlite_engine.h"

struct salvage {
        struct sqlite_store *store;
        struct store_reader *reader;
        uint64_t found, holes; /* holes: stretches of places that cannot be read */
        unsigned int budget;   /* probes left */
};

/* Every row that can be read, not always in order. Nonzero: the reader's. */
int salvage_rows(struct salvage *s);
