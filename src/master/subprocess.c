/* Start, watch, restart. */
#include "master/subprocess.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pidfd.h"
#include "master/testimony.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAYERS_BYTES = 4096 };

const char *subprocess_state_name(enum subprocess_state state)
{
        static const char *const names[] = {"down", "starting", "ready"};

        return names[state];
}

/* ---- the process ---- */

static void reap(struct subprocess *h)
{
        int status = 0;

        while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (!h->stopping)
                log_warn(h->ops->lost, "%s pid %d ended with status %d signal %d", h->ops->name, h->pid,
                        WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                        WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        h->pid = 0;
        close(TAKE_FD(h->pidfd));
}

/* ---- the channel ---- */

void subprocess_is_ready(struct subprocess *h)
{
        h->state = SUBPROCESS_READY;
        ev_timer_stop(h->loop->ev, &h->patience);
        h->backoff_ms = h->backoff_first_ms;
}

int subprocess_take_layers(struct subprocess *h, struct bytes layers, struct wire_refusal *why)
{
        char text[256];

        if (testimony_check_layers(layers, why))
                return 1;
        buf_consume(&h->layers, buf_size(&h->layers));
        if (buf_append(&h->layers, layers.data, layers.len) < 0)
                return wire_refuse(why, WIRE_BAD_FRAME, "there is no memory for its layers");
        testimony_layers_text(layers, text, sizeof(text));
        log_info("rights", "%s: %s", h->ops->name, text);
        return 0;
}

void subprocess_start_later(struct subprocess *h)
{
        ev_timer_set(&h->restart, loop_seconds(h->backoff_ms), 0.);
        ev_timer_start(h->loop->ev, &h->restart);
        h->backoff_ms = h->backoff_ms * 2 < h->backoff_max_ms ? h->backoff_ms * 2 : h->backoff_max_ms;
}

/* Nobody is served any more. */
static void wait_for_end(struct subprocess *h)
{
        struct pollfd ended = {.fd = h->pidfd, .events = POLLIN};

        while (poll(&ended, 1, h->ops->tidies_ms) < 0 && errno == EINTR)
                ;
}

static void end(struct subprocess *h)
{
        h->state = SUBPROCESS_DOWN;
        ev_timer_stop(h->loop->ev, &h->restart);
        ev_timer_stop(h->loop->ev, &h->patience);
        if (h->has_peer)
                peer_close(&h->peer);
        if (!h->pid)
                return;
        if (h->stopping && h->ops->tidies_ms)
                wait_for_end(h);
        subprocess_kill(h);
        reap(h);
}

/* Nobody else holds the other end, so a closed channel is a dead process, or one that is of no use any more.
 */
static void lose(struct subprocess *h)
{
        end(h);
        h->ops->on_lost(h);
        subprocess_start_later(h);
}

void subprocess_on_refused(struct peer *p, uint64_t seq, const struct wire_refusal *why, bool fatal)
{
        struct subprocess *h = subprocess_of_peer(p);

        (void)seq;
        (void)fatal;
        log_error(h->ops->name, "frame refused: %s", why->message);
        lose(h);
}

void subprocess_on_closed(struct peer *p, const char *reason)
{
        struct subprocess *h = subprocess_of_peer(p);

        log_debug(h->ops->name, "channel %s", reason);
        lose(h);
}

/* ---- life and death ---- */

static void on_restart(struct ev_loop *ev, struct ev_timer *w, int events)
{
        struct subprocess *h = w->data;

        (void)ev;
        (void)events;
        h->restarts++;
        if (subprocess_start(h) < 0)
                subprocess_start_later(h);
}

/* It may have said something while we were the slow one. */
static void on_patience_over(struct ev_loop *ev, struct ev_timer *w, int events)
{
        struct subprocess *h = w->data;

        (void)ev;
        (void)events;
        peer_drain(&h->peer);
        if (h->state != SUBPROCESS_STARTING)
                return;
        log_error(h->ops->name, "not ready within startTimeout");
        lose(h);
}

void subprocess_init(struct subprocess *h, struct loop *loop, struct starter_link *starter,
        const struct config_worker *config, const struct subprocess_ops *ops)
{
        *h = (struct subprocess){.loop = loop,
                .ops = ops,
                .starter = starter,
                .pidfd = -1,
                .backoff_ms = config->respawn_backoff,
                .backoff_first_ms = config->respawn_backoff,
                .backoff_max_ms = config->respawn_backoff_max,
                .start_timeout_ms = config->start_timeout};
        buf_init(&h->layers, LAYERS_BYTES);
        ev_init(&h->restart, on_restart);
        ev_init(&h->patience, on_patience_over);
        h->restart.data = h->patience.data = h;
}

static int start_program(struct subprocess *h, int channel)
{
        pid_t pid = starter_link_start(h->starter, h->ops->program, channel, &h->pidfd);

        if (pid < 0)
                return (int)pid;
        h->pid = pid;
        return 0;
}

int subprocess_start(struct subprocess *h)
{
        CLEANUP(cleanup_close) int theirs = -1;
        int pair[2], r = fd_pair(pair);

        if (r < 0)
                return r;
        theirs = pair[1];
        if (h->has_peer)
                peer_fini(&h->peer);
        peer_init(&h->peer, h->loop, pair[0], h->ops->peer, h->ops->frame_max, h->ops->out_max);
        h->peer.channel.takes_fds = h->ops->takes_fds;
        h->peer.state = WIRE_OPEN;
        h->has_peer = true;
        h->stopping = false;
        h->state = SUBPROCESS_STARTING;
        /* Queued before there is anybody to read it: after the start nothing may fail. */
        r = h->ops->greet(h);
        if (!r)
                r = start_program(h, theirs);
        if (r < 0) {
                h->state = SUBPROCESS_DOWN;
                peer_close(&h->peer);
                return r;
        }
        ev_timer_set(&h->patience, loop_seconds(h->start_timeout_ms), 0.);
        ev_timer_start(h->loop->ev, &h->patience);
        return 0;
}

void subprocess_stop(struct subprocess *h)
{
        h->stopping = true;
        end(h);
}

void subprocess_fini(struct subprocess *h)
{
        if (!h->loop)
                return;
        subprocess_stop(h);
        buf_fini(&h->layers);
        if (h->has_peer)
                peer_fini(&h->peer);
}

void subprocess_kill(struct subprocess *h)
{
        int r = h->pid ? pidfd_signal(h->pidfd, h->pid, SIGKILL) : 0;

        if (r < 0)
                log_error(h->ops->name, "pid %d cannot be ended: %s", h->pid, error_text(r));
}
