/*
 * Many calls at once, pipelined, whose results are printed in the order in which they were added. At most
 * BATCH_WINDOW are under way, and BATCH_BYTES of them; adding one more waits for the oldest.
 */
#pragma once

#include "cli/cli.h"

/* BATCH_BYTES stays below what a supervisor lets one client have under way by default (queue.maxClientBytes). */
enum { BATCH_WINDOW = 1024, BATCH_BYTES = 32 * 1024 * 1024, BATCH_LABEL = 48 };

struct batch_slot {
        struct poppo_reply *reply; /* NULL: not there yet, or none will come */
        bool failed;               /* none will come, and why was said */
        size_t bytes;              /* of the call */
        char label[BATCH_LABEL];
};

struct batch {
        struct cli *cli;
        /* Prints what a good reply has, and returns the exit status that belongs to it. */
        int (*print)(struct cli *cli, struct poppo_reply *reply, const char *label);
        bool lines; /* every call has its line of output, an empty one if it failed */
        bool show_progress;
        bool lost;  /* the connection, and it was said */
        int status; /* the first that was not EXIT_OK */
        size_t added, printed;
        size_t bytes; /* of the calls between these two */
        int64_t progress_at;
        struct batch_slot slots[BATCH_WINDOW];
};

struct batch *batch_new(struct cli *cli,
        int (*print)(struct cli *cli, struct poppo_reply *reply, const char *label), bool lines);
void batch_free(struct batch *b);

/* Sends a call. label ("line 3") is copied and names it in complaints. False: the connection is lost, give up. */
bool batch_send(struct batch *b, const char *label, const char *op, const char *args);

/* A call that could not even be sent, after a message: keeps its place in the output. */
void batch_skip(struct batch *b, int status);

/* Prints what is ready, without waiting. */
void batch_print_ready(struct batch *b);

/* Waits for all of it, and returns the exit status of the whole. */
int batch_finish(struct batch *b);
