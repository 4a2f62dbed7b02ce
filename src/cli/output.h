/* What commands print: records, tables, colours. */
#pragma once

#include "cli/cli.h"

#include <stdio.h>

/* A record under "/result" in the reply of run, submit --wait, wait or result: logs to stderr, the value to stdout, a
 * failure to stderr; with --json all of it as one line on stdout. label names the task among many, or is NULL.
 * Returns the exit status that belongs to it. */
int output_record(struct cli *cli, struct poppo_reply *reply, const char *label);

/* The value at pointer as one line of JSON. */
void output_json(struct poppo_reply *reply, const char *pointer);

/* Text that others wrote, a task or the supervisor: on a terminal its control characters but newline and tab are shown as
 * \x1b, so that it cannot steer it; elsewhere it is as it is. */
void output_text(FILE *stream, const char *text);

/* The same for bytes that need not be text and may come in pieces. *last is the byte before them on this stream, 0 at the
 * start, and becomes their last one. */
void output_bytes(FILE *stream, const void *data, size_t len, unsigned char *last);

/* Why a task has not succeeded, on stderr: the record's error, with its data or without. */
void output_failure(struct poppo_reply *reply, const char *label, bool with_data);

/* The exit status that belongs to a record. */
int output_status(struct poppo_reply *reply);

/* A reply whose string at pointer is all that people want to know: that as a line, or all of it with --json. Frees it. */
int output_line(const struct cli *cli, struct poppo_reply *reply, const char *pointer);

/* After a libpoppo call: its failure r, or the reply as print shows it, or all of it with --json. Frees it. */
int output_reply(struct cli *cli, int r, struct poppo_reply *reply, void (*print)(struct poppo_reply *));

enum output_color { COLOR_PLAIN, COLOR_DIM, COLOR_GREEN, COLOR_YELLOW, COLOR_RED, COLOR_BOLD, COLORS };

/* The sequence that begins a colour, COLOR_PLAIN ends it; "" unless stream is a terminal and NO_COLOR is unset. */
const char *output_color(FILE *stream, enum output_color color);

/* Whether people look at the stream: a terminal that is not dumb. */
bool output_is_terminal(FILE *stream);

/* ---- tables: columns as wide as their widest cell, the last one open ---- */

enum { TABLE_COLUMNS = 10 };

struct table;

struct table *table_new(size_t columns);
void table_free(struct table *t);
/* Cells are copied; NULL is empty. */
void table_row(struct table *t, const char *const *cells);
/* right: a mask of the columns that are aligned right. */
void table_print(const struct table *t, unsigned int right);
