/* One output stream of a command: read as it comes, kept up to a limit, thrown away beyond it. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>

struct capture {
        struct buf kept;
        size_t limit;
        bool cut; /* there was more */
        int fd;   /* -1: ended, or not begun */
};

void capture_init(struct capture *c);
/* Makes the pipe. 0 and *write_end, which is the caller's; or -errno. */
int capture_open(struct capture *c, size_t limit, int *write_end);
/* Reads a piece of what is there: how many bytes, 0 when there is nothing or it has ended. *kept is what of
 * them was kept, good until the next read. */
size_t capture_read(struct capture *c, struct bytes *kept);
/* Reads what is left, without waiting. Nobody may write any more: what a dead process sent away may keep the
 * pipe open. */
void capture_end(struct capture *c);
/* Closes, wipes and gives memory back. */
void capture_reset(struct capture *c);
