/* Frames that nobody should send: every message of messages.def with fields that are right, on the edge,
 * beyond it or of another kind; and what is no message at all. The same seed gives the same ones. */
#pragma once

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct dice {
        uint64_t state;
};

/* From 0 to below n. */
uint64_t dice_roll(struct dice *d, uint64_t n);
static inline bool dice_once_in(struct dice *d, uint64_t n)
{
        return !dice_roll(d, n);
}

/* What a worker says of its layers before it has had to do with anybody's code is true: this map, until it is empty. */
extern struct bytes frames_layers;

/* Appends one frame, length and all. seq: the run that is under way, for those that lie well. */
void frames_any(struct dice *d, struct buf *out, uint64_t seq);
/* The same of the messages that a worker may send. */
void frames_of_worker(struct dice *d, struct buf *out, uint64_t seq);
/* Then some of its bytes are changed, moved, repeated or lost, its length among them. */
void frames_mutate(struct dice *d, struct buf *out);
/* A reply to this run that is in order. */
void frames_reply(struct buf *out, uint64_t seq, uint64_t value);
