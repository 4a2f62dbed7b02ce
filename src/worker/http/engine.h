/*
 * libcurl's side of the loop: one multi handle, its sockets in the worker's epoll, its one timer. Connections
 * are kept in it and used again, so an engine belongs to one set of settings: what was connected to under
 * other settings is not found by a transfer that has these.
 */
#pragma once

#include "base/list.h"
#include "worker/http/settings.h"

#include <curl/curl.h>

struct engine {
        struct list node;
        CURLM *multi;
        struct settings *settings; /* its own */
        int epoll;
        uint32_t id;    /* tells its sockets from another engine's, and from the channel: never 0 */
        int64_t timer;  /* when libcurl wants to be called; 0 = not at all */
        unsigned int n; /* transfers under way */
};

/* Takes the settings over, in any case. NULL: no memory. */
struct engine *engine_new(int epoll, uint32_t id, struct settings *settings);
/* With no transfer in it. Closes its connections. */
void engine_free(struct engine *e);

/* Begin and end of a transfer. -ENOMEM. */
int engine_add(struct engine *e, CURL *easy);
void engine_remove(struct engine *e, CURL *easy);

/* What epoll_event.data.u64 says of a socket: whose it is, and which. */
static inline uint32_t engine_event_id(uint64_t data)
{
        return (uint32_t)(data >> 32);
}

void engine_on_event(struct engine *e, uint64_t data, uint32_t events);
void engine_on_time(struct engine *e, int64_t now);

/* A transfer that has ended and is still in: false if there is none. */
bool engine_next_ended(struct engine *e, CURL **easy, CURLcode *result);
