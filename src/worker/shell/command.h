/*
 * A line for the shell, where only listed commands may run. It is taken apart by POSIX's rules into simple
 * commands, and refused if it holds anything beyond those: what expands, redirects, pipes, groups, assigns or
 * runs in the background.
 *
 *   ls -l 'a file' && grep -c "x" notes.txt; true     is three commands
 *
 * What is run is not the line but command_write()'s rendering of it: each word in single quotes and each
 * executable by its absolute path. So a mistake here could change what a command does, but never which
 * executables are run.
 */
#pragma once

#include "base/buf.h"
#include "wire/codec.h"

enum command_join { COMMAND_FIRST, COMMAND_AND, COMMAND_OR, COMMAND_THEN };

struct command_simple {
        enum command_join join; /* with the one before */
        size_t first, n;        /* its words */
};

struct command {
        struct buf text;    /* the words, each ends with a NUL */
        struct buf words;   /* size_t: where each begins */
        struct buf simples; /* struct command_simple */
};

void command_init(struct command *c);
void command_fini(struct command *c);

/* Positive: refused with COMMAND_REFUSED; the sentence says what and where. -ENOMEM. */
int command_parse(struct command *c, struct bytes line, struct wire_refusal *why);

size_t command_count(const struct command *c);
const struct command_simple *command_at(const struct command *c, size_t i);
const char *command_word(const struct command *c, const struct command_simple *s, size_t i);

/* Appends one simple command, with `file` in place of its first word. */
int command_write(const struct command *c, const struct command_simple *s, const char *file, struct buf *out);
