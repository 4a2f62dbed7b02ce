/* The loop: the channel and libcurl's sockets in one epoll, deadlines, and what each run used. */
#include "worker/http/worker.h"

#include "base/clock.h"
#include "base/error.h"
#include "wire/exits.h"
#include "wire/json.h"
#include "worker/http/names.h"
#include "worker/http/transfer.h"
#include "worker/http/trust.h"
#include "worker/port.h"

#include <curl/curl.h>
#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 64, CHANNEL_EVENT = 0, TIMINGS_MAX = 1024, RESOLVER_STACK = 512 * 1024 };

/* Ended transfers wait while so much is on its way to the supervisor. */
enum { BACKLOG_MAX = 8 * 1024 * 1024 };

static struct {
        struct wire_spawn_setup setup;
        struct port port;
        struct outcome outcome;
        struct buf timings;
        int epoll;
        uint32_t polled; /* events that the channel is polled for */
        struct list engines, transfers;
        struct engine *engine; /* the newest: that of the settings that hold */
        uint32_t last_engine_id;
        uint64_t n_transfers;
        bool is_retiring;
        bool is_held_up; /* ended transfers wait until the supervisor has read more */
        int64_t cpu_mark;
} worker;

/* ---- CPU time ---- */

/* What the process used since it was asked last is shared by the transfers that something happened to
 * meanwhile: which of them libcurl or a resolver's thread worked for, nobody tells. */
static void charge(void)
{
        int64_t now = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID), n = 0;

        list_for_each (it, &worker.transfers)
                n += list_entry(it, struct transfer, node)->is_touched;
        /* Of nobody's is what it costs to be there. */
        if (!worker.n_transfers)
                worker.cpu_mark = now;
        if (!n)
                return;
        list_for_each (it, &worker.transfers) {
                struct transfer *t = list_entry(it, struct transfer, node);

                if (t->is_touched)
                        t->cpu_ns += (uint64_t)((now - worker.cpu_mark) / n);
                t->is_touched = false;
        }
        worker.cpu_mark = now;
}

/* ---- engines ---- */

static struct engine *find_engine(uint32_t id)
{
        list_for_each (it, &worker.engines)
                if (list_entry(it, struct engine, node)->id == id)
                        return list_entry(it, struct engine, node);
        return NULL;
}

/* New settings, new connections. What is under way goes on by the old ones. */
static void take_settings(struct settings *s)
{
        worker.engine = s ? engine_new(worker.epoll, ++worker.last_engine_id, s) : NULL;
        if (!worker.engine)
                _exit(WORKER_EXIT_MEMORY);
        list_push_back(&worker.engines, &worker.engine->node);
}

static void free_retired(void)
{
        list_for_each_safe (it, &worker.engines) {
                struct engine *e = list_entry(it, struct engine, node);

                if (!e->n && e != worker.engine)
                        engine_free(e);
        }
}

/* ---- transfers ---- */

static void end(struct transfer *t)
{
        t->is_touched = true;
        charge();
        if (transfer_account(t, &worker.outcome, &worker.timings) < 0)
                _exit(WORKER_EXIT_MEMORY);
        port_reply(&worker.port, t->seq, &worker.outcome, buf_bytes(&worker.timings));
        outcome_reset(&worker.outcome);
        transfer_free(t);
        worker.n_transfers--;
}

static void on_run(struct port *p, uint32_t seq, const struct wire_worker_run *run)
{
        struct transfer *t;

        (void)p;
        if (worker.n_transfers >= worker.engine->settings->max_transfers)
                _exit(WORKER_EXIT_PROTOCOL);
        t = transfer_new(seq, worker.engine);
        if (!t)
                _exit(WORKER_EXIT_MEMORY);
        list_push_back(&worker.transfers, &t->node);
        worker.n_transfers++;
        if (transfer_begin(t, run, &worker.outcome) == TRANSFER_ENDED)
                end(t);
}

static void on_cancel(struct port *p, uint32_t seq)
{
        (void)p;
        list_for_each_safe (it, &worker.transfers) {
                struct transfer *t = list_entry(it, struct transfer, node);

                if (t->seq != seq)
                        continue;
                outcome_fail(&worker.outcome, WIRE_CANCELLED, "the task was cancelled");
                end(t);
                return;
        }
}

static void on_configure(struct port *p, struct bytes map)
{
        struct settings *s = settings_new();

        (void)p;
        if (s && settings_read(s, map) < 0)
                _exit(WORKER_EXIT_PROTOCOL);
        take_settings(s);
}

static const struct port_ops ops = {.run = on_run, .cancel = on_cancel, .configure = on_configure};

static void end_overdue(void)
{
        int64_t now = clock_now();

        list_for_each_safe (it, &worker.transfers) {
                struct transfer *t = list_entry(it, struct transfer, node);

                if (!t->deadline || now < t->deadline)
                        continue;
                transfer_time_out(t, &worker.outcome);
                end(t);
        }
}

static bool may_reply(void)
{
        return port_backlog(&worker.port) < BACKLOG_MAX;
}

static void end_done(struct engine *e)
{
        struct transfer *t;
        CURLcode result;
        CURL *easy;

        while (may_reply() && engine_next_ended(e, &easy, &result)) {
                curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&t);
                if (transfer_hop_ended(t, result, &worker.outcome) == TRANSFER_ENDED)
                        end(t);
        }
        worker.is_held_up |= !may_reply();
}

/* ---- the loop ---- */

static int64_t sooner(int64_t a, int64_t b)
{
        return !a || (b && b < a) ? b : a;
}

static int wait_ms(void)
{
        int64_t at = 0, left;
        int most = port_wait_ms(&worker.port);

        if (worker.is_held_up && may_reply())
                return 0;
        list_for_each (it, &worker.engines)
                at = sooner(at, list_entry(it, struct engine, node)->timer);
        list_for_each (it, &worker.transfers)
                at = sooner(at, list_entry(it, struct transfer, node)->deadline);
        if (!at)
                return most;
        left = at - clock_now();
        if (left <= 0)
                return 0;
        left = (left + NS_PER_MS - 1) / NS_PER_MS;
        return left < most ? (int)left : most;
}

static void poll_channel(int how)
{
        struct epoll_event event = {
                .events = port_events(&worker.port) & POLLOUT ? EPOLLIN | EPOLLOUT : EPOLLIN,
                .data.u64 = CHANNEL_EVENT};

        if (how == EPOLL_CTL_MOD && event.events == worker.polled)
                return;
        worker.polled = event.events;
        if (epoll_ctl(worker.epoll, how, worker.port.channel.fd, &event) < 0)
                _exit(WORKER_EXIT_CHANNEL);
}

static short channel_events(uint32_t events)
{
        return (short)((events & EPOLLIN ? POLLIN : 0) | (events & EPOLLOUT ? POLLOUT : 0) |
                       (events & (EPOLLHUP | EPOLLERR) ? POLLHUP : 0));
}

static void retire_if_blind(void)
{
        if (worker.is_retiring || !names_files_replaced())
                return;
        worker.is_retiring = true;
        port_retire(&worker.port, "the files by which names are looked up were replaced");
}

/* Sockets first, so that what they end is in the same write as what the channel brings. */
static void turn(void)
{
        struct epoll_event events[EVENTS];
        int n = epoll_wait(worker.epoll, events, EVENTS, wait_ms());
        short revents = 0;

        if (n < 0 && errno != EINTR)
                _exit(WORKER_EXIT_CHANNEL);
        for (int i = 0; i < n; i++) {
                struct engine *e = find_engine(engine_event_id(events[i].data.u64));

                if (e)
                        engine_on_event(e, events[i].data.u64, events[i].events);
                else if (events[i].data.u64 == CHANNEL_EVENT)
                        revents = channel_events(events[i].events);
        }
        list_for_each (it, &worker.engines)
                engine_on_time(list_entry(it, struct engine, node), clock_now());
        charge();
        worker.is_held_up = false;
        list_for_each (it, &worker.engines)
                end_done(list_entry(it, struct engine, node));
        end_overdue();
        free_retired();
        retire_if_blind();
        port_serve(&worker.port, revents);
        poll_channel(EPOLL_CTL_MOD);
}

/* ---- beginnings ---- */

/* Threads look names up: a small stack for each, and no heap of its own. The locale is what libcurl's
 * international names are read in. */
int worker_http_load(const struct wire_spawn_setup *setup)
{
        pthread_attr_t attr;
        int r;

        worker.setup = *setup;
        signal(SIGPIPE, SIG_IGN);
        mallopt(M_ARENA_MAX, 2);
        pthread_attr_init(&attr);
        r = pthread_attr_setstacksize(&attr, RESOLVER_STACK);
        if (!r)
                r = pthread_setattr_default_np(&attr);
        pthread_attr_destroy(&attr);
        if (r)
                return error_origin(-r);
        setlocale(LC_CTYPE, "C.UTF-8");
        json_seed();
        names_note_files();
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return error_origin(-ENOMEM);
        /* Without them nothing can be verified, which https requests are then told; http goes on. */
        trust_load_system();
        return 0;
}

_Noreturn void worker_http_run(int channel_fd, struct bytes layers)
{
        list_init(&worker.engines);
        list_init(&worker.transfers);
        buf_init(&worker.timings, TIMINGS_MAX);
        worker.epoll = epoll_create1(EPOLL_CLOEXEC);
        if (worker.epoll < 0 || outcome_init(&worker.outcome, &worker.setup) < 0 ||
                port_open(&worker.port, channel_fd, &worker.setup, &ops) < 0)
                _exit(WORKER_EXIT_MEMORY);
        take_settings(settings_new());
        worker.cpu_mark = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
        poll_channel(EPOLL_CTL_ADD);
        port_ready(&worker.port, layers);
        for (;;)
                turn();
}
