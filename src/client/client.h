/*
 * Inside libpoppo: the handle, the calls under way and the replies. The public face is include/poppo/poppo.h.
 */
#pragma once

#include "base/map.h"
#include "poppo/poppo.h"
#include "wire/channel.h"

#include <stdbool.h>

enum {
        CLIENT_FRAME_MAX = 128 * 1024 * 1024, /* largest reply taken: the largest record and room to spare */
        CLIENT_OUT_DEFAULT = 64 * 1024 * 1024,
        CLIENT_NAME_MAX = 64,
        CLIENT_PATH_MAX = 108,
};

/* A century: longer timeouts would not fit the clock's nanoseconds. */
#define CLIENT_TIMEOUT_MAX (INT64_C(100) * 365 * 24 * 3600 * 1000)

/* What names a lost connection in replies, beside the supervisor's codes. */
#define CLIENT_LOST "CONNECTION_LOST"

/* A call that waits for its reply. */
struct call {
        struct map_node node;
        uint64_t seq;
        void (*on_reply)(void *data, struct poppo_reply *reply);
        void *data;
};

struct poppo {
        struct channel ch; /* ch.fd is -1 without a connection */
        struct map calls;  /* by seq */
        uint64_t last_seq;
        size_t out_limit, max_send;
        int64_t timeout_ms, retry_after;
        int64_t server_pid;
        struct poppo_reply *lost; /* made ahead, so that even without memory a loss can be told */
        void (*on_event)(void *data, struct poppo_reply *event); /* NULL: nobody wants them */
        void *event_data;
        bool in_callback;
        char client[CLIENT_NAME_MAX + 1], server[CLIENT_NAME_MAX + 1];
        char socket_path[CLIENT_PATH_MAX];
        char code[CLIENT_NAME_MAX + 1];
        char message[512];
};

/* ---- failures: error.c ---- */

/* Keeps the sentence for poppo_error_message and returns r. */
int client_fail(struct poppo *p, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Forgets the last one, at the start of every function that may fail. */
void client_clear(struct poppo *p);
/* Keeps what a reply that is no success says, and returns its status. */
int client_adopt(struct poppo *p, struct poppo_reply *reply);

/* ---- calls: call.c ---- */

/* Ends the connection and tells every pending call. */
void client_lose(struct poppo *p);
/* Appends a JSON text's value; `what` begins the sentence if that fails. -EINVAL, -EMSGSIZE, -ENOMEM. */
int client_add_json(struct poppo *p, struct buf *out, const char *what, const char *text);
/* A call's arguments as text; NULL is the empty map. The buffer is the caller's to free, whatever is returned. */
int client_encode_args(struct poppo *p, const char *args, struct buf *out);
/* The work behind poppo_send(). The call's number is then p->last_seq. */
int client_send(struct poppo *p, const char *op, struct bytes args,
        void (*on_reply)(void *data, struct poppo_reply *reply), void *data);
/* Nobody waits for this call's reply any more. */
void client_forget(struct poppo *p, uint64_t seq);

/* ---- waiting: wait.c ---- */

/* Sends one call whose fields are an encoded map and waits for its reply; the work behind every blocking function. */
int client_call(struct poppo *p, const char *op, struct bytes args, struct poppo_reply **out);

/* ---- replies: reply.c ---- */

/* Copies a checked frame without its envelope. NULL without memory. */
struct poppo_reply *reply_new(struct bytes frame, int status);
/* The reply of a lost connection. */
struct poppo_reply *reply_new_lost(void);
