/* A connection to poppod for benchmarks: greeted, and ending the program when anything goes wrong. */
#pragma once

#include "wire/channel.h"

#include <stdbool.h>

struct session {
        struct channel channel;
        uint64_t seq; /* of the last request */
};

/* Connects and sends hello with seq 0, whose reply is left to be read. False when nobody listens there yet. */
bool session_try(struct session *s, const char *path);
void session_open(struct session *s, const char *path);
void session_close(struct session *s);

/* Takes a request into the buffer, as s->seq; session_flush sends what is there. */
void session_put(struct session *s, const struct wire_message *m, const void *body);
void session_flush(struct session *s);
/* Both; the reply is passed over by the next session_ask. */
void session_send(struct session *s, const struct wire_message *m, const void *body);

/* The next reply, whichever it is; it must be ok. The bytes are good until the next call. */
struct bytes session_receive(struct session *s, uint64_t *seq);

/* Sends a request and waits for its reply, which must be ok. The bytes are good until the next call. */
struct bytes session_ask(struct session *s, const struct wire_message *m, const void *body);

/* {type: "execute-code", code} as a submit takes it; `task` holds the bytes. */
void session_prepare_code(struct wire_submit *submit, struct buf *task, const char *code);

/* Shows the refusal and ends the program. */
_Noreturn void session_refused(struct bytes frame);
