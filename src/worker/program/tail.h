/* The end of what a program wrote to its standard streams: what it says when it fails is often said there. */
#pragma once

#include <stddef.h>

enum { TAIL_BYTES = 320 };

struct tail {
        int fd; /* the reading end, which does not block; -1: closed */
        char text[2 * TAIL_BYTES];
        size_t len;
};

/* Makes the pipe; the writing end is the caller's. Negative: there is none. */
int tail_open(struct tail *t, int *write_end);
/* Reads what is there. Whatever is written before the last TAIL_BYTES is forgotten. */
void tail_read(struct tail *t);
/* The end of it as one text, without the blanks around it. Good until the next call. */
const char *tail_text(struct tail *t);
