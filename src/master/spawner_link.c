/* Start, watch, restart. The spawner is reaped here; the workers are the pool's. */
#include "master/spawner_link.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHANNEL_FD = 3, STACK_SLACK = 64 * 1024 * 1024, FRAME_MAX = 64 * 1024, OUT_MAX = 1024 * 1024 };

static int start(struct spawner_link *s);

const char *spawner_state_name(enum spawner_state state)
{
        static const char *const names[] = {"down", "starting", "ready"};

        return names[state];
}

/* ---- the process ---- */

/* Native recursion must hit the heap's limit before the stack's (FACTS.md), so the stack is made larger than the heap. */
static void raise_stack(uint64_t memory_bytes)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_STACK, &limit) < 0)
                return;
        limit.rlim_cur = memory_bytes + STACK_SLACK;
        if (limit.rlim_max != RLIM_INFINITY && limit.rlim_cur > limit.rlim_max)
                limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_STACK, &limit) < 0)
                log_warn("spawner", "RLIMIT_STACK cannot be raised: %m");
}

_Noreturn static void become_spawner(const struct spawner_link *s, int channel, pid_t master)
{
        char *argv[] = {(char *)"poppod-spawner", NULL}, *envp[] = {(char *)"TZ=UTC", NULL};
        sigset_t none;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != master)
                _exit(1);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        raise_stack(s->setup.max_memory_bytes);
        if (channel != CHANNEL_FD && dup2(channel, CHANNEL_FD) < 0)
                _exit(1);
        fd_keep_on_exec(CHANNEL_FD);
        fd_close_from(CHANNEL_FD + 1, -1);
        execve(s->program, argv, envp);
        log_error("spawner", "%s cannot be started: %m", s->program);
        _exit(127);
}

static int fork_spawner(struct spawner_link *s, int channel)
{
        pid_t master = getpid(), pid = fork();

        if (pid < 0)
                return error_origin(-errno);
        if (!pid)
                become_spawner(s, channel, master);
        s->pid = pid;
        return 0;
}

static void reap(struct spawner_link *s)
{
        int status = 0;

        while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (!s->stopping)
                log_warn("spawner-lost", "spawner pid %d ended with status %d signal %d", s->pid,
                        WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        s->pid = 0;
}

/* ---- the channel ---- */

static int on_prepared(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct spawner_link *s = container_of(p, struct spawner_link, peer);

        (void)seq;
        (void)why;
        s->state = SPAWNER_READY;
        ev_timer_stop(s->loop->ev, &s->patience);
        s->backoff_ms = s->backoff_first_ms;
        log_info("spawner-ready", "spawner pid %d image %llu bytes", s->pid,
                (unsigned long long)body->spawn_ready.image_bytes);
        s->ops->on_ready(s);
        return 0;
}

/* A worker whose descriptors got lost, for want of room for them: it is our child all the same. */
static void reap_stranger(pid_t pid)
{
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

static int on_spawned(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct spawner_link *s = container_of(p, struct spawner_link, peer);
        int channel = channel_take_fd(&p->channel), pidfd = channel_take_fd(&p->channel);

        if (channel < 0 || pidfd < 0) {
                if (channel >= 0)
                        close(channel);
                reap_stranger((pid_t)body->spawn_reply.pid);
                return wire_refuse(why, WIRE_BAD_FRAME, "a spawned worker came without its descriptors");
        }
        s->ops->on_spawned(s, seq, (pid_t)body->spawn_reply.pid, channel, pidfd);
        return 0;
}

static int on_failure(struct peer *p, uint64_t seq, const struct wire_failure *f, struct wire_refusal *why)
{
        struct spawner_link *s = container_of(p, struct spawner_link, peer);
        char reason[256];

        (void)why;
        snprintf(reason, sizeof(reason), "%.*s", (int)f->message.len, (const char *)f->message.data);
        s->ops->on_failed(s, seq, reason);
        return 0;
}

static void restart_later(struct spawner_link *s)
{
        ev_timer_set(&s->restart, loop_seconds(s->backoff_ms), 0.);
        ev_timer_start(s->loop->ev, &s->restart);
        s->backoff_ms = s->backoff_ms * 2 < s->backoff_max_ms ? s->backoff_ms * 2 : s->backoff_max_ms;
}

/* Nobody else holds the other end, so a closed channel is a dead spawner, or one that is of no use any more. */
static void lose(struct spawner_link *s)
{
        s->state = SPAWNER_DOWN;
        ev_timer_stop(s->loop->ev, &s->patience);
        peer_close(&s->peer);
        kill(s->pid, SIGKILL);
        reap(s);
        s->ops->on_lost(s);
        restart_later(s);
}

static void on_refused(struct peer *p, uint64_t seq, const struct wire_refusal *why, bool fatal)
{
        (void)seq;
        (void)fatal;
        log_error("spawner", "frame refused: %s", why->message);
        lose(container_of(p, struct spawner_link, peer));
}

static void on_closed(struct peer *p, const char *reason)
{
        log_debug("spawner", "channel %s", reason);
        lose(container_of(p, struct spawner_link, peer));
}

static const struct peer_handler handlers[WIRE_IDS] = {
        [WIRE_ID_spawn_ready] = {on_prepared},
        [WIRE_ID_spawn_reply] = {on_spawned},
};

static const struct peer_ops peer_ops = {
        .name = "spawner",
        .from = WIRE_SPAWNER,
        .reply = WIRE_MESSAGE(spawn_reply),
        .handlers = handlers,
        .on_failure = on_failure,
        .on_refused = on_refused,
        .on_closed = on_closed,
};

/* ---- life and death ---- */

static void on_restart(struct ev_loop *ev, struct ev_timer *w, int events)
{
        struct spawner_link *s = w->data;

        (void)ev;
        (void)events;
        s->restarts++;
        if (start(s) < 0)
                restart_later(s);
}

/* It may have said something while we were the slow one. */
static void on_patience_over(struct ev_loop *ev, struct ev_timer *w, int events)
{
        struct spawner_link *s = w->data;

        (void)ev;
        (void)events;
        peer_drain(&s->peer);
        if (s->state != SPAWNER_STARTING)
                return;
        log_error("spawner", "not ready within startTimeout");
        lose(s);
}

static int start(struct spawner_link *s)
{
        CLEANUP(cleanup_close) int theirs = -1;
        int pair[2], r = fd_pair(pair);

        if (r < 0)
                return r;
        theirs = pair[1];
        if (s->has_peer)
                peer_fini(&s->peer);
        peer_init(&s->peer, s->loop, pair[0], &peer_ops, FRAME_MAX, OUT_MAX);
        s->peer.channel.takes_fds = true;
        s->peer.state = WIRE_OPEN;
        s->has_peer = true;
        s->state = SPAWNER_STARTING;
        /* Queued before there is anybody to read it: after the fork nothing may fail. */
        r = peer_send(&s->peer, WIRE_MESSAGE(spawn_setup), 0, &s->setup);
        if (!r)
                r = fork_spawner(s, theirs);
        if (r < 0) {
                s->state = SPAWNER_DOWN;
                peer_close(&s->peer);
                return r;
        }
        ev_timer_set(&s->patience, loop_seconds(s->start_timeout_ms), 0.);
        ev_timer_start(s->loop->ev, &s->patience);
        return 0;
}

int spawner_link_init(struct spawner_link *s, struct loop *loop, const char *program, const struct wire_spawn_setup *setup,
        const struct config_worker *config, const struct spawner_link_ops *ops)
{
        *s = (struct spawner_link){.loop = loop, .ops = ops, .setup = *setup, .program = strdup(program),
                .backoff_ms = config->respawn_backoff, .backoff_first_ms = config->respawn_backoff,
                .backoff_max_ms = config->respawn_backoff_max, .start_timeout_ms = config->start_timeout};
        if (!s->program)
                return error_origin(-ENOMEM);
        ev_init(&s->restart, on_restart);
        ev_init(&s->patience, on_patience_over);
        s->restart.data = s->patience.data = s;
        return start(s);
}

void spawner_link_fini(struct spawner_link *s)
{
        if (!s->loop)
                return;
        s->stopping = true;
        ev_timer_stop(s->loop->ev, &s->restart);
        ev_timer_stop(s->loop->ev, &s->patience);
        if (s->has_peer)
                peer_fini(&s->peer);
        if (s->pid) {
                kill(s->pid, SIGKILL);
                reap(s);
        }
        free(TAKE_PTR(s->program));
}

void spawner_link_kill(struct spawner_link *s)
{
        if (s->pid)
                kill(s->pid, SIGKILL);
}

int spawner_link_request(struct spawner_link *s, uint64_t token, const struct wire_spawn *body)
{
        return s->state == SPAWNER_READY ? peer_send(&s->peer, WIRE_MESSAGE(spawn), token, body) : -EAGAIN;
}
