/*
 * From bytes to structs and back, by walking the descriptors of messages.def.
 *
 * Receiving: wire_open() checks a frame's body whole and reads its envelope; the caller finds the message and checks
 * its permission; wire_decode() fills the struct. Refusals carry a code and a sentence that names the field.
 */
#pragma once

#include "wire/message.h"

struct wire_refusal {
        enum wire_code code;
        char message[192];
};

struct wire_head {
        struct bytes op;    /* empty in replies and events */
        struct bytes event; /* empty in anything else */
        uint64_t seq;
        bool has_seq;
        bool is_reply, ok; /* ok has a meaning in replies only */
};

/* Positive: refused, and `why` says so. BAD_FRAME for all faults of the bytes and the envelope. */
int wire_open(struct bytes frame, struct wire_head *head, struct wire_refusal *why);
/* The same for frames that may nest less deep, since parts of them will be put into others. At most WIRE_DEPTH_MAX. */
int wire_open_within(struct bytes frame, unsigned int depth_max, struct wire_head *head, struct wire_refusal *why);

/* Fills `out` (of m's struct; zeroed first) from a checked map. Positive: refused with m's fault code, or BAD_FRAME for
 * a key that occurs twice. */
int wire_decode(const struct wire_message *m, struct bytes map, void *out, struct wire_refusal *why);

/* Appends one whole frame, length included. CALL, NOTE, EVENT and REPLY get their envelope; `seq` is left out of NOTE and
 * EVENT.
 * -ENOBUFS or -ENOMEM: nothing was appended. */
int wire_encode(struct buf *out, const struct wire_message *m, uint64_t seq, const void *body);

/* A call whose fields are one encoded map already, for callers that pass on any op. -EINVAL: args is no well-formed map, or
 * has a key of the envelope; nothing was appended. */
int wire_encode_op(struct buf *out, const char *op, uint64_t seq, struct bytes args);

/* {seq, ok:false, error:{code, message, retryAfter?}}; retry_after_ms < 0: none. */
int wire_encode_refusal(struct buf *out, uint64_t seq, const struct wire_refusal *why, int64_t retry_after_ms);

/* Appends only the map of a record, without envelope or length. */
int wire_encode_map(struct buf *out, const struct wire_message *m, const void *body);

#define WIRE_MESSAGE(id) (&wire_messages[WIRE_ID_##id])

/* Writes the sentence and returns 1, so that a refusing function can end with it. */
int wire_refuse(struct wire_refusal *why, enum wire_code code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
