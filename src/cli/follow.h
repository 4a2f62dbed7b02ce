/*
 * What a task writes while it runs, handed on as it comes: stdout and stderr of commands, the console of
 * JavaScript.
 *
 *   follow_init(&f, cli, stderr);               where the console goes
 *   status = follow_call(&f, "follow", args, len, &reply);
 *   follow_rest(&f, record);                    what was not pushed, since the task ended before
 */
#pragma once

#include "cli/cli.h"

#include <stdio.h>

enum follow_stream { FOLLOW_STDOUT, FOLLOW_STDERR, FOLLOW_CONSOLE, FOLLOW_STREAMS };

struct follow {
        struct cli *cli;
        FILE *to[FOLLOW_STREAMS];
        bool seen[FOLLOW_STREAMS]; /* of the attempt */
        unsigned char last[FOLLOW_STREAMS];
        int64_t attempt;
};

void follow_init(struct follow *f, struct cli *cli, FILE *console);

/* Makes a call, args being MessagePack, and hands on what is pushed until its reply is there; with --json the
 * events themselves, one a line. 0 and *reply, which is a success; or an exit status after a message. */
int follow_call(struct follow *f, const char *op, const void *args, size_t len, struct poppo_reply **reply);

/* What the record under "/result" has of streams that nothing was pushed of. */
void follow_rest(struct follow *f, struct poppo_reply *record);

/* Where the record of a command has its outcome: {exitCode, signal, stdout, stderr, ...}, of a success or a
 * failure. */
const char *follow_outcome(struct poppo_reply *record);
