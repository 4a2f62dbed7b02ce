/* Task documents: read from files, made from options, and merged. Built with jansson, handed to libpoppo as text. */
#pragma once

#include "cli/cli.h"

#include <jansson.h>

static inline void cleanup_json(json_t **v)
{
        json_decref(*v);
}

/* Reads a file, "-" for standard input, of at most CLI_INPUT_MAX bytes. 0 and *text (to be freed), or an exit status. */
int document_read(struct cli *cli, const char *path, char **text, size_t *len);

/* Parses a JSON text of any type. 0 and *out (a new reference), or EXIT_DATA after a message that begins with label. */
int document_parse(struct cli *cli, const char *label, const char *text, size_t len, json_t **out);

/* A JSON Pointer and one more token, which may be any text; to be freed. NULL: no memory. */
char *document_pointer(const char *pointer, const char *key);

/* The command line's options as a task's options; default_attempts 0: not given unless asked for. NULL: no memory. */
json_t *document_options(const struct cli *cli, int64_t default_attempts);

/* From a document, a bare task or {task, options}: what submit takes, {task, options}, the command line's options first.
 * 0 and *out (a new reference), or EXIT_DATA after a message. */
int document_submit(struct cli *cli, const char *label, json_t *document, json_t **out);
