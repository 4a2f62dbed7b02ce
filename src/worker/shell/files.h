/*
 * Files into the private directory before a command starts, and back when nothing of its tree lives any more.
 * Nobody else touches it meanwhile; no link on the way is followed, and nothing leads out.
 */
#pragma once

#include "sandbox/jail.h"
#include "worker/shell/encode.h"
#include "worker/shell/strlist.h"

/* {PATH: string or bytes}, below work/; what begins with #! can be executed. Positive: refused, with
 * INVALID_TASK, or with TOO_LARGE when the directory is full. Negative: -errno. */
int files_write(const struct jail_tree *t, struct bytes map, struct wire_refusal *why);

/* The directory that a command starts in: `path` below work/, made if it is not there. As files_write(). */
int files_make_directory(const struct jail_tree *t, struct bytes path, struct wire_refusal *why);

/* What the files are that the patterns name. A pattern is matched with the path below work/, part by part as
 * fnmatch(3) does it; a part that is ** stands for any number of directories, or none. */
int files_check_patterns(const struct strings *patterns, struct wire_refusal *why);

/* Appends the map {PATH: contents} of the regular files that some pattern matches, sorted. Positive: refused
 * with OUTPUT_LIMIT, and the sentence names the file that did not fit. Negative: -errno. */
int files_collect(const struct jail_tree *t, const struct strings *patterns, enum encoding encoding,
        struct pack *out, struct wire_refusal *why);
