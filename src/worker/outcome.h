/*
 * What an attempt left behind: a value or a failure, and its console output. It lies outside of the arena and
 * outlives the world; everything in it is bounded and is wiped before the next task.
 */
#pragma once

#include "base/buf.h"
#include "wire/codec.h"
#include "wire/cursor.h"

/* How deep a value may nest: what carries it to the client nests around it. */
enum { OUTCOME_DEPTH_MAX = WIRE_DEPTH_MAX - 4 };

struct outcome {
        enum wire_code code;             /* WIRE_OK: `value` holds the result's bytes */
        struct buf value;                /* with a failure: its `data`, if there is any */
        struct buf name, message, stack; /* UTF-8; empty = absent */
        struct buf logs;                 /* n_logs encoded entries */
        uint32_t n_logs;
        bool truncated;  /* logs were cut */
        struct buf line; /* the console's scratch */
        uint64_t cpu_us, peak_bytes;
};

/* What a line takes beside its text: the map's head, three keys, the level, the time, the text's head. */
enum { OUTCOME_LINE_BYTES = 40 };

int outcome_init(struct outcome *o, const struct wire_spawn_setup *setup);

/* Wipes everything, to begin a task. */
void outcome_reset(struct outcome *o);

/* Drops the value and sets a failure with this sentence; the logs stay. */
void outcome_fail(struct outcome *o, enum wire_code code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Keeps a line of console output, written so many nanoseconds after the attempt's start. Over max_log_bytes it is dropped,
 * and so are all that follow, and `truncated` says so. */
void outcome_log(struct outcome *o, const char *level, struct bytes text, int64_t at_ns);

/* Fills the reply; its strings are borrowed from the outcome. `list` takes the logs as an encoded array. */
int outcome_reply(const struct outcome *o, struct buf *list, struct wire_worker_run_reply *reply);
