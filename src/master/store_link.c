/* Start, watch, restart; and the changes that are under way. */
#include "master/store_link.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/uuid.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHANNEL_FD = 3, FRAME_MAX = 64 * 1024 * 1024, OUT_MAX = 128 * 1024 * 1024, BACKLOG = 4 * 1024 * 1024 };
/* How long changes wait for a store that does not come back before they are refused; how long one may take to close. */
enum { OUTAGE_MS = 5000, CLOSE_MS = 10000 };

static int start(struct store_link *s);

const char *store_link_state_name(const struct store_link *s)
{
        static const char *const names[] = {"off", "down", "starting", "open"};

        return s->state == STORE_LINK_OPEN && !s->available ? "unavailable" : names[s->state];
}

static void set_available(struct store_link *s, bool available, struct bytes why)
{
        bool changed = s->available != available;

        s->available = available;
        snprintf(s->why, sizeof(s->why), "%.*s", (int)why.len, why.len ? (const char *)why.data : "");
        if (changed)
                s->ops->on_health(s);
}

/* ---- the process ---- */

_Noreturn static void become_store(const struct store_link *s, int channel, pid_t master)
{
        char *argv[] = {(char *)"poppod-store", NULL}, *envp[] = {(char *)"TZ=UTC", NULL};
        sigset_t none;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != master)
                _exit(1);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (channel != CHANNEL_FD && dup2(channel, CHANNEL_FD) < 0)
                _exit(1);
        fd_keep_on_exec(CHANNEL_FD);
        fd_close_from(CHANNEL_FD + 1, -1);
        execve(s->program, argv, envp);
        log_error("store", "%s cannot be started: %m", s->program);
        _exit(127);
}

static int fork_store(struct store_link *s, int channel)
{
        pid_t master = getpid(), pid = fork();

        if (pid < 0)
                return error_origin(-errno);
        if (!pid)
                become_store(s, channel, master);
        s->pid = pid;
        return 0;
}

static void reap(struct store_link *s)
{
        int status = 0;

        while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (!s->stopping)
                log_warn("store-lost", "store pid %d ended with status %d signal %d", s->pid,
                        WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        s->pid = 0;
}

/* ---- changes ---- */

/* What is not sent yet goes when the store has taken what was: it is in memory anyway, and need not be twice. */
static void pump(struct store_link *s)
{
        while (s->state == STORE_LINK_OPEN && s->unsent != &s->waiting && peer_backlog(&s->peer) < BACKLOG) {
                struct store_change *c = list_entry(s->unsent, struct store_change, node);

                if (s->ops->send(s, c) < 0)
                        return;
                s->unsent = s->unsent->next;
        }
}

void store_link_push(struct store_link *s, struct store_change *c)
{
        c->number = ++s->last_number;
        list_push_back(&s->waiting, &c->node);
        s->n_waiting++;
        if (s->unsent == &s->waiting)
                s->unsent = &c->node;
        pump(s);
}

static void finish_through(struct store_link *s, uint64_t through, enum store_outcome outcome)
{
        struct list *node;

        while ((node = list_first(&s->waiting))) {
                struct store_change *c = list_entry(node, struct store_change, node);

                if (c->number > through)
                        return;
                if (s->unsent == node)
                        s->unsent = node->next;
                list_unlink(node);
                s->n_waiting--;
                s->ops->on_done(s, c, outcome);
        }
}

int store_link_send(struct store_link *s, const struct wire_message *m, const void *body)
{
        return s->state == STORE_LINK_OPEN ? peer_send(&s->peer, m, 0, body) : -EAGAIN;
}

int store_link_measure(struct store_link *s, uint64_t seq)
{
        struct wire_store_measure body = {0};

        return s->state == STORE_LINK_OPEN ? peer_send(&s->peer, WIRE_MESSAGE(store_measure), seq, &body) : -EAGAIN;
}

/* ---- the channel ---- */

static struct store_link *of_peer(struct peer *p)
{
        return container_of(p, struct store_link, peer);
}

static int on_opened(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct store_link *s = of_peer(p);

        (void)seq;
        (void)why;
        s->state = STORE_LINK_OPEN;
        s->backoff_ms = s->backoff_first_ms;
        s->unsent = s->waiting.next;
        ev_timer_stop(s->loop->ev, &s->outage);
        log_info("store-open", "store pid %d: %s, %llu bytes, version %llu", s->pid, s->path,
                (unsigned long long)body->store_opened.bytes, (unsigned long long)body->store_opened.version);
        if (WIRE_HAS(&body->store_opened, store_opened, backup))
                log_info("store-upgraded", "as it was before it is kept in %.*s", (int)body->store_opened.backup.len,
                        (const char *)body->store_opened.backup.data);
        set_available(s, true, (struct bytes){0});
        s->ops->on_opened(s, &body->store_opened);
        s->was_open = true;
        pump(s);
        return 0;
}

static int on_unusable(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct store_link *s = of_peer(p);

        (void)seq;
        (void)why;
        set_available(s, false, body->store_unusable.message);
        s->ops->on_unusable(s, &body->store_unusable);
        return 0;
}

static int on_done(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct store_link *s = of_peer(p);

        (void)seq;
        (void)why;
        finish_through(s, body->store_done.through, (enum store_outcome)body->store_done.outcome);
        pump(s);
        return 0;
}

static int on_health(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct store_link *s = of_peer(p);

        (void)seq;
        (void)why;
        if (body->store_health.available)
                log_info("store-available", "the store can be written again");
        else
                log_warn("store-unavailable", "%.*s", (int)body->store_health.message.len,
                        (const char *)body->store_health.message.data);
        set_available(s, body->store_health.available, body->store_health.message);
        return 0;
}

#define PASS_ON(event, message)                                                                              \
        static int on_##event(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why) \
        {                                                                                                    \
                (void)seq;                                                                                   \
                (void)why;                                                                                   \
                of_peer(p)->ops->on_##event(of_peer(p), &body->message);                                     \
                return 0;                                                                                    \
        }
PASS_ON(project, store_project)
PASS_ON(row, store_row)
PASS_ON(loaded, store_loaded)
PASS_ON(measured, store_measure_reply)
#undef PASS_ON

static int on_failure(struct peer *p, uint64_t seq, const struct wire_failure *f, struct wire_refusal *why)
{
        (void)p;
        (void)seq;
        return wire_refuse(why, WIRE_BAD_FRAME, "the store refused a frame: %.*s", (int)(f->message.len > 100 ? 100 : f->message.len),
                (const char *)f->message.data);
}

static void restart_later(struct store_link *s)
{
        ev_timer_set(&s->restart, loop_seconds(s->backoff_ms), 0.);
        ev_timer_start(s->loop->ev, &s->restart);
        s->backoff_ms = s->backoff_ms * 2 < s->backoff_max_ms ? s->backoff_ms * 2 : s->backoff_max_ms;
}

/* Its lock on the file ends with it, so it must be gone before there is another. */
static void lose(struct store_link *s)
{
        bool off = s->state == STORE_LINK_OFF;

        s->state = STORE_LINK_DOWN;
        peer_close(&s->peer);
        kill(s->pid, SIGKILL);
        reap(s);
        if (off || s->stopping)
                return;
        s->ops->on_lost(s);
        if (!ev_is_active(&s->outage)) {
                ev_timer_set(&s->outage, loop_seconds(OUTAGE_MS), 0.);
                ev_timer_start(s->loop->ev, &s->outage);
        }
        restart_later(s);
}

static void on_refused(struct peer *p, uint64_t seq, const struct wire_refusal *why, bool fatal)
{
        (void)seq;
        (void)fatal;
        log_error("store", "frame refused: %s", why->message);
        lose(of_peer(p));
}

static void on_closed(struct peer *p, const char *reason)
{
        log_debug("store", "channel %s", reason);
        lose(of_peer(p));
}

static const struct peer_handler handlers[WIRE_IDS] = {
        [WIRE_ID_store_opened] = {on_opened},
        [WIRE_ID_store_unusable] = {on_unusable},
        [WIRE_ID_store_done] = {on_done},
        [WIRE_ID_store_health] = {on_health},
        [WIRE_ID_store_project] = {on_project},
        [WIRE_ID_store_row] = {on_row},
        [WIRE_ID_store_loaded] = {on_loaded},
        [WIRE_ID_store_measure_reply] = {on_measured},
};

static const struct peer_ops peer_ops = {
        .name = "store",
        .from = WIRE_STORE,
        .reply = WIRE_MESSAGE(store_measure_reply),
        .handlers = handlers,
        .on_failure = on_failure,
        .on_refused = on_refused,
        .on_closed = on_closed,
};

/* ---- life and death ---- */

static void on_restart(struct ev_loop *ev, struct ev_timer *w, int events)
{
        struct store_link *s = w->data;

        (void)ev;
        (void)events;
        s->restarts++;
        if (start(s) < 0)
                restart_later(s);
}

/* Nobody waits for ever: what is under way is refused; what is needed again will be asked for again. */
static void on_outage(struct ev_loop *ev, struct ev_timer *w, int events)
{
        struct store_link *s = w->data;

        (void)ev;
        (void)events;
        log_error("store-unavailable", "no store for %d ms", OUTAGE_MS);
        set_available(s, false, wire_str("the store's process does not start"));
        finish_through(s, s->last_number, STORE_UNAVAILABLE);
        loop_come_round(s->loop);
}

static int start(struct store_link *s)
{
        CLEANUP(cleanup_close) int theirs = -1;
        int pair[2], r = fd_pair(pair);

        if (r < 0)
                return r;
        theirs = pair[1];
        if (s->has_peer)
                peer_fini(&s->peer);
        peer_init(&s->peer, s->loop, pair[0], &peer_ops, FRAME_MAX, OUT_MAX);
        s->peer.state = WIRE_OPEN;
        s->has_peer = true;
        s->state = STORE_LINK_STARTING;
        r = peer_send(&s->peer, WIRE_MESSAGE(store_open), 0, &s->setup);
        if (!r)
                r = fork_store(s, theirs);
        if (r < 0) {
                s->state = STORE_LINK_DOWN;
                peer_close(&s->peer);
        }
        return r;
}

int store_link_init(struct store_link *s, struct loop *loop, const struct store_link_setup *setup,
        const struct config_worker *config, const struct store_link_ops *ops)
{
        struct uuid owner = uuid_new();

        *s = (struct store_link){.loop = loop, .ops = ops, .program = strdup(setup->program), .path = strdup(setup->path),
                .available = true, .backoff_ms = config->respawn_backoff, .backoff_first_ms = config->respawn_backoff,
                .backoff_max_ms = config->respawn_backoff_max};
        list_init(&s->waiting);
        s->unsent = &s->waiting;
        ev_init(&s->restart, on_restart);
        ev_init(&s->outage, on_outage);
        s->restart.data = s->outage.data = s;
        if (!s->program || !s->path)
                return error_origin(-ENOMEM);
        memcpy(s->owner, owner.bytes, sizeof(s->owner));
        WIRE_SET(&s->setup, store_open, engine, 0);
        WIRE_SET(&s->setup, store_open, sync, setup->sync);
        WIRE_SET(&s->setup, store_open, path, wire_str(s->path));
        WIRE_SET(&s->setup, store_open, owner, (struct bytes){s->owner, sizeof(s->owner)});
        WIRE_SET(&s->setup, store_open, log_level, (uint64_t)log_get_level());
        return start(s);
}

/* It closes its file when it sees the channel closed. */
static void wait_for_close(struct store_link *s)
{
        CLEANUP(cleanup_close) int pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
        struct pollfd p = {.fd = pidfd, .events = POLLIN};

        if (pidfd < 0 || poll(&p, 1, CLOSE_MS) <= 0)
                kill(s->pid, SIGKILL);
        reap(s);
}

void store_link_fini(struct store_link *s)
{
        if (!s->loop)
                return;
        s->stopping = true;
        ev_timer_stop(s->loop->ev, &s->restart);
        ev_timer_stop(s->loop->ev, &s->outage);
        if (s->has_peer)
                peer_fini(&s->peer);
        if (s->pid)
                wait_for_close(s);
        free(TAKE_PTR(s->program));
        free(TAKE_PTR(s->path));
}
