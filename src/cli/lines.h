/* Lines of a descriptor, taken one by one as they come, so that a slow pipe can be waited for along with a socket. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

struct lines {
        int fd;
        struct buf buf;
        bool ended; /* nothing more will come */
};

/* The descriptor stays the caller's. limit: the longest line. */
void lines_init(struct lines *l, int fd, size_t limit);
void lines_fini(struct lines *l);

/* The next line, without its newline, good until lines_fill; at the end also one that has none. False: read more, or if
 * `ended` there is none. */
bool lines_next(struct lines *l, struct bytes *line);

/* Reads once; may block. -ENOBUFS: a line is too long. */
int lines_fill(struct lines *l);
