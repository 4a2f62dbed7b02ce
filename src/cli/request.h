/* One task, made of members and raw bytes; submitted, followed if somebody wants to see it run, waited for.
 */
#pragma once

#include "cli/follow.h"

#include <jansson.h>

enum { REQUEST_BYTES_MAX = CLI_LIST_MAX + 2 };

struct request {
        struct cli *cli;
        json_t *task;
        struct poppo_raw bytes[REQUEST_BYTES_MAX]; /* pointers and data are the request's */
        size_t n_bytes;
};

/* 0, or an exit status after a message. request_fini() in any case. */
int request_init(struct request *r, struct cli *cli, const char *type);
void request_fini(struct request *r);

/* Sets a member of `object`, which is the task ("/task") or within it ("/task/options"), to bytes from
 * malloc(), which become the request's. 0, or an exit status after a message. */
int request_set_bytes(
        struct request *r, json_t *object, const char *pointer, const char *key, char *data, size_t len);

/* Sets a member to a string that must be UTF-8; NULL: leaves it out. */
int request_set_text(struct request *r, json_t *object, const char *key, const char *text);

/* follow: what it writes is pushed to f meanwhile. 0 and *reply, with the record under "/result" however the
 * task ended; or an exit status after a message. */
int request_run(struct request *r, struct follow *f, bool follow, struct poppo_reply **reply);
