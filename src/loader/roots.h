/*
 * The roots, and the one way to a file in them. Each root is opened once and every file is opened beneath it
 * by the kernel's own rule (openat2), so that neither a ".." nor a link leads out, whatever changes
 * meanwhile.
 */
#pragma once

#include "loader/place.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { ROOTS_MAX = 64, ROOTS_FILE_MAX = 8 * 1024 * 1024, REASON_BYTES = 512 };

struct root {
        char *path; /* as configured */
        int fd;     /* -1: it could not be opened */
        uid_t owner;
        int fault; /* negative errno of that */
};

struct roots {
        struct root *list;
        unsigned int n;
        uid_t us; /* whose files are trusted besides root's and the owner's of their root */
};

/* Why something is not taken, for people. */
struct reason {
        char text[REASON_BYTES];
};

enum roots_condition {
        ROOTS_ABSENT = 1, /* no such file, or it is a directory */
        ROOTS_REFUSED,    /* it is there and must not be used; the reason says why */
};

/* What a file was when it was looked at: another one, or other contents, give another mark. */
struct mark {
        uint64_t dev, ino, size;
        int64_t mtime_ns, ctime_ns;
};

struct found {
        int fd;             /* open for reading; the caller's */
        struct place place; /* where it really is: links are resolved */
        struct mark mark;
};

/* Opens each of them; one that is not there is noted and answers nothing. paths is an encoded array of
 * strings. -EPROTO: it is not, -ENOMEM. */
int roots_open(struct roots *r, struct bytes paths);
void roots_close(struct roots *r);

/* Every look at a file takes time that others wait for, and whoever asks may be hostile: from now on there
 * may be this many. With none left roots_find() refuses whatever it is. */
void roots_allow(unsigned int looks);
bool roots_may_look(void);

/* The regular file at this place, if it may be used. 0 and *out; an enum roots_condition; negative. */
int roots_find(const struct roots *r, unsigned int root, const struct place *at, struct found *out,
        struct reason *why);

/* Whether what is at this place, links not followed, is still what it was. Only looks: for files that were
 * found before. */
bool roots_is_same(const struct roots *r, unsigned int root, const struct place *at, const struct mark *mark);

/* Appends the whole file. ROOTS_REFUSED: it is too large, or changes while it is read. */
int roots_read(const struct found *f, struct buf *out, struct reason *why);

void reason_set(struct reason *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
