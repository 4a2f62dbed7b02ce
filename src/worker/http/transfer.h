/*
 * One http-request under way: a hop at a time, each begun and checked like the first one. It ends in an
 * outcome, from whichever side: its last hop, a refusal, its deadline, a cancel.
 */
#pragma once

#include "worker/http/engine.h"
#include "worker/http/request.h"
#include "worker/http/response.h"
#include "worker/outcome.h"

struct transfer {
        struct list node;
        uint32_t seq;
        struct engine *engine;
        CURL *easy;
        struct request request;
        struct response response;
        struct target target; /* of this hop */
        unsigned int hops;    /* redirects followed */
        bool is_added;        /* to the engine */
        struct {
                bool is_known, is_followed;
        } redirect;                  /* whether this hop's response is one */
        struct wire_refusal refusal; /* of an address of this hop */
        unsigned int n_refused, n_connected;
        char error[CURL_ERROR_SIZE];
        int64_t started, hop_started, deadline; /* ns; deadline 0 = none */
        uint64_t timeout;                       /* ms, of the deadline */
        struct {
                int64_t dns, connect, tls, first_byte; /* us */
        } timings;
        uint64_t cpu_ns;
        bool is_touched; /* in this turn of the loop */
};

enum transfer_state { TRANSFER_RUNS, TRANSFER_ENDED };

/* NULL: no memory. */
struct transfer *transfer_new(uint32_t seq, struct engine *engine);
void transfer_free(struct transfer *t);

/* Reads the task and begins. With TRANSFER_ENDED the outcome is filled. */
enum transfer_state transfer_begin(
        struct transfer *t, const struct wire_worker_run *run, struct outcome *out);
/* libcurl is done with this hop. */
enum transfer_state transfer_hop_ended(struct transfer *t, CURLcode result, struct outcome *out);
/* Its deadline is over. */
void transfer_time_out(struct transfer *t, struct outcome *out);

/* Fills in what the ending transfer used, and the map of its timings. -ENOMEM. */
int transfer_account(const struct transfer *t, struct outcome *out, struct buf *timings);
