/* A root full of files made for a test, and a loader in a child that serves it. */
#pragma once

#include "wire/channel.h"
#include "wire/codec.h"

#include <stddef.h>
#include <sys/types.h>

enum { LIBRARY_ROOTS = 2 };

struct library {
        char dir[64]; /* holds the roots "a" and "b" and a file that is in neither */
        pid_t pid;
        struct channel channel;
        uint64_t seq;
};

/* text: the file's contents. "-> TARGET": a symbolic link. */
struct library_file {
        const char *path, *text;
};

void library_make(struct library *l);
/* Puts a file into the directory, and makes those around it. */
void library_put(struct library *l, const char *path, const char *text);
void library_remove(struct library *l);

/* Starts the loader with both roots and waits until it serves. */
void library_open(struct library *l);
/* Any configuration: an encoded array of paths. */
void library_open_with(struct library *l, struct bytes roots);
/* Closes the channel and gives its wait status. */
int library_close(struct library *l);

/* One question, and the reply's frame, which must be a reply to it; good until the next one. */
struct bytes library_ask(struct library *l, const struct wire_message *m, const void *body);
void library_load(
        struct library *l, int root, const char *from, const char *name, struct wire_load_reply *reply);
