/* From hop to hop, and the ways to end. */
#include "worker/http/transfer.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "wire/cursor.h"
#include "wire/pack.h"
#include "worker/http/hop.h"
#include "worker/http/policy.h"
#include "worker/http/redirect.h"
#include "worker/http/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct transfer *transfer_new(uint32_t seq, struct engine *engine)
{
        struct transfer *t = calloc(1, sizeof(*t));

        if (!t)
                return NULL;
        t->easy = curl_easy_init();
        if (!t->easy) {
                free(t);
                return NULL;
        }
        t->seq = seq;
        t->engine = engine;
        list_init(&t->node);
        return t;
}

static void leave_engine(struct transfer *t)
{
        if (t->is_added)
                engine_remove(t->engine, t->easy);
        t->is_added = false;
}

void transfer_free(struct transfer *t)
{
        list_unlink(&t->node);
        leave_engine(t);
        curl_easy_cleanup(t->easy);
        request_fini(&t->request);
        response_fini(&t->response);
        free(t);
}

/* ---- ends ---- */

/* A refusal of the task (positive), or what this process could not do. */
static enum transfer_state end_with(
        struct transfer *t, int r, const struct wire_refusal *why, struct outcome *out)
{
        if (r < 0)
                outcome_fail(out, WIRE_OUT_OF_MEMORY, "the request could not be made: %s", error_text(r));
        else if (t->hops)
                outcome_fail(out, why->code, "redirect %u: %s", t->hops, why->message);
        else
                outcome_fail(out, why->code, "%s", why->message);
        return TRANSFER_ENDED;
}

static void fail_by_curl(struct transfer *t, CURLcode result, struct outcome *out)
{
        const char *words = t->error[0] ? t->error : curl_easy_strerror(result);

        /* Said of a line that is larger than its buffer may get, more than of memory. */
        if (result == CURLE_OUT_OF_MEMORY)
                words = "a line of the response is longer than libcurl takes, or there is no memory";
        if (t->hops)
                outcome_fail(
                        out, WIRE_HTTP_FAILED, "redirect %u to %.100s: %s", t->hops, t->target.host, words);
        else
                outcome_fail(out, WIRE_HTTP_FAILED, "%s", words);
}

void transfer_time_out(struct transfer *t, struct outcome *out)
{
        outcome_fail(out, WIRE_TIMEOUT, "the request took longer than its timeout of %llu ms",
                (unsigned long long)t->timeout);
}

/* ---- hops ---- */

static enum transfer_state start_hop(struct transfer *t, struct outcome *out)
{
        const struct target last = t->target;
        struct wire_refusal why;
        int r = policy_check_url(t->engine->settings, t->request.url, &t->target, &why);

        if (!r && t->target.tls && !t->engine->settings->trust)
                r = wire_refuse(&why, WIRE_HTTP_FAILED, "%s", t->engine->settings->no_trust);
        if (!r && t->hops && !redirect_stays(&last, &t->target))
                r = request_drop_credentials(&t->request);
        if (!r)
                r = hop_prepare(t);
        if (!r)
                r = engine_add(t->engine, t->easy);
        if (r)
                return end_with(t, r, &why, out);
        t->is_added = true;
        t->hop_started = clock_now();
        return TRANSFER_RUNS;
}

static int64_t span(curl_off_t from, curl_off_t to)
{
        return to > from ? to - from : 0;
}

static void note_timings(struct transfer *t)
{
        curl_off_t dns = 0, connect = 0, tls = 0, first = 0;

        curl_easy_getinfo(t->easy, CURLINFO_NAMELOOKUP_TIME_T, &dns);
        curl_easy_getinfo(t->easy, CURLINFO_CONNECT_TIME_T, &connect);
        curl_easy_getinfo(t->easy, CURLINFO_APPCONNECT_TIME_T, &tls);
        curl_easy_getinfo(t->easy, CURLINFO_STARTTRANSFER_TIME_T, &first);
        t->timings.dns += dns;
        t->timings.connect += span(dns, connect);
        t->timings.tls += span(connect, tls);
        if (first)
                t->timings.first_byte = (t->hop_started - t->started) / NS_PER_US + first;
}

/* The header as it came: what libcurl makes of it has the user's name in it. The handle is used again, so it
 * is copied. */
static int take_location(struct transfer *t, char **location, long *status, struct wire_refusal *why)
{
        struct curl_header *h;

        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, status);
        if (curl_easy_header(t->easy, "Location", 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
                return wire_refuse(why, WIRE_HTTP_FAILED, "the redirect has no Location");
        if (t->hops >= hop_max_redirects(t))
                return wire_refuse(why, WIRE_HTTP_FAILED,
                        "one more redirect than the %u that may be followed, to %.80s", t->hops, h->value);
        *location = strdup(h->value);
        return *location ? 0 : error_origin(-ENOMEM);
}

static enum transfer_state follow(struct transfer *t, struct outcome *out)
{
        CLEANUP(cleanup_free) char *location = NULL;
        struct wire_refusal why;
        long status = 0;
        int r = take_location(t, &location, &status, &why);

        leave_engine(t);
        if (r)
                return end_with(t, r, &why, out);
        t->hops++;
        if (redirect_becomes_get(status, t->request.method))
                r = request_become_get(&t->request);
        if (!r)
                r = request_follow(&t->request, location, &why);
        return r ? end_with(t, r, &why, out) : start_hop(t, out);
}

enum transfer_state transfer_hop_ended(struct transfer *t, CURLcode result, struct outcome *out)
{
        bool cut_short = result == CURLE_WRITE_ERROR && t->response.overflow == RESPONSE_BODY_OVER;

        note_timings(t);
        if (t->response.overflow == RESPONSE_HEADERS_OVER)
                outcome_fail(out, WIRE_RESULT_TOO_LARGE,
                        "the response has more than %d headers, or more than %d bytes of them",
                        RESPONSE_HEADERS_MAX, RESPONSE_HEADER_BYTES_MAX);
        else if (result == CURLE_COULDNT_CONNECT && t->n_refused && !t->n_connected)
                return end_with(t, 1, &t->refusal, out);
        else if (result != CURLE_OK && !cut_short)
                fail_by_curl(t, result, out);
        else if (hop_is_redirect(t))
                return follow(t, out);
        else
                result_fill(out, &t->request, &t->response, t->easy);
        return TRANSFER_ENDED;
}

/* ---- the beginning ---- */

static int read_task(struct transfer *t, const struct wire_worker_run *run, struct wire_refusal *why)
{
        struct wire_http_request task;
        struct bytes type;
        int r;

        if (!wire_lookup_str(run->task, "type", &type) ||
                !wire_str_is(type, WIRE_MESSAGE(http_request)->name))
                return wire_refuse(why, WIRE_UNKNOWN_TYPE, "this worker runs tasks of type %s only",
                        WIRE_MESSAGE(http_request)->name);
        r = wire_decode(WIRE_MESSAGE(http_request), run->task, &task, why);
        return r ? r : request_read(&t->request, &task, run->traceparent, why);
}

static void set_deadline(struct transfer *t, uint64_t attempt_timeout)
{
        uint64_t own = t->request.timeout;

        t->timeout = own && (!attempt_timeout || own < attempt_timeout) ? own : attempt_timeout;
        t->deadline = t->timeout ? t->started + (int64_t)t->timeout * NS_PER_MS : 0;
}

enum transfer_state transfer_begin(struct transfer *t, const struct wire_worker_run *run, struct outcome *out)
{
        struct wire_refusal why;
        int r;

        t->started = clock_now();
        t->is_touched = true;
        r = read_task(t, run, &why);
        if (r)
                return end_with(t, r, &why, out);
        set_deadline(t, run->timeout);
        return start_hop(t, out);
}

/* ---- what it cost ---- */

static void pack_ms(struct pack *p, const char *key, int64_t us)
{
        pack_entry_double(p, key, (double)us / 1000.);
}

int transfer_account(const struct transfer *t, struct outcome *out, struct buf *timings)
{
        struct pack p;

        out->cpu_us = t->cpu_ns / NS_PER_US;
        out->peak_bytes = t->response.body.cap + t->request.body.cap + buf_size(&out->value);
        buf_consume(timings, buf_size(timings));
        if (!t->hop_started)
                return 0;
        pack_init(&p, timings);
        pack_map(&p, 5);
        pack_ms(&p, "dns", t->timings.dns);
        pack_ms(&p, "connect", t->timings.connect);
        pack_ms(&p, "tls", t->timings.tls);
        pack_ms(&p, "firstByte", t->timings.first_byte);
        pack_ms(&p, "total", (clock_now() - t->started) / NS_PER_US);
        return p.error;
}
