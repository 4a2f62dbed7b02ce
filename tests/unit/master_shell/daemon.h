/* A whole master in a child process, with the fake spawner, and a client of it. Failing calls fail the test. */
#pragma once

#include "wire/channel.h"

#include <stdbool.h>
#include <sys/types.h>

struct daemon {
        char dir[64], socket[96];
        pid_t pid;
        struct channel client;
        uint64_t seq;
};

/* The loader's program of daemons that are started from now on; NULL: they have neither it nor roots. */
extern const char *daemon_loader;

/* worker: members of daemon.worker in the configuration, with a comma behind each. */
void daemon_start(struct daemon *d, const char *spawner, const char *worker);
/* Ends it and expects that it ends well. */
void daemon_stop(struct daemon *d);

/* Writes another configuration and has it taken over. types: members of taskTypes. */
void daemon_reload(struct daemon *d, const char *worker, const char *types);

/* Sends; receives the reply to seq, which stays good until the next call. */
uint64_t daemon_send(struct daemon *d, const struct wire_message *m, const void *body);
struct bytes daemon_reply(struct daemon *d, uint64_t seq);
struct bytes daemon_call(struct daemon *d, const struct wire_message *m, const void *body);

/* Submits code to be waited for, with one attempt. */
uint64_t daemon_submit(struct daemon *d, const char *code, uint64_t timeout);
/* The same for an http-request of this url: one worker runs many of them at once. */
uint64_t daemon_submit_http(struct daemon *d, const char *url, uint64_t timeout);
/* The same for a shell-command of this line. */
uint64_t daemon_submit_command(struct daemon *d, const char *line);
/* An http-request with so many bytes of data. */
uint64_t daemon_submit_data(struct daemon *d, const char *url, size_t bytes);
/* The record in the reply. */
struct bytes daemon_record(struct daemon *d, uint64_t seq);
struct bytes daemon_run(struct daemon *d, const char *code, uint64_t timeout);

/* Text at a path of keys and indexes separated by dots; "" where there is none. Static storage. */
const char *text_at(struct bytes map, const char *path);
/* Whether there is anything at a path. */
bool is_at(struct bytes map, const char *path);
/* Number at a path; -1 where there is none. */
double number_at(struct bytes map, const char *path);
/* The status reply. */
struct bytes daemon_status(struct daemon *d);
