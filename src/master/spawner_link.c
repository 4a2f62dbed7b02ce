/* What is the spawner's own about it: its setup, and the workers that it sends. They are the pool's to reap. */
#include "master/spawner_link.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FRAME_MAX = 64 * 1024, OUT_MAX = 1024 * 1024, TIDIES_MS = 1000 };

static struct spawner_link *of_process(const struct subprocess *h)
{
        return container_of(h, struct spawner_link, process);
}

static struct spawner_link *of_peer(struct peer *p)
{
        return of_process(subprocess_of_peer(p));
}

/* ---- the channel ---- */

static int on_prepared(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct spawner_link *s = of_peer(p);

        (void)seq;
        if (WIRE_HAS(&body->spawn_ready, spawn_ready, layers) &&
                subprocess_take_layers(&s->process, body->spawn_ready.layers, why))
                return 1;
        subprocess_is_ready(&s->process);
        log_info("spawner-ready", "spawner pid %d image %llu bytes", s->process.pid,
                (unsigned long long)body->spawn_ready.image_bytes);
        s->ops->on_ready(s);
        return 0;
}

/* A worker whose descriptors got lost, for want of room for them: it is our child all the same. */
static void reap_stranger(struct spawner_link *s, pid_t pid)
{
        int r = starter_link_kill(s->process.starter, pid);

        if (r < 0)
                return log_error("spawner", "pid %d cannot be ended: %s", pid, error_text(r));
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
}

static int on_spawned(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct spawner_link *s = of_peer(p);
        int channel = channel_take_fd(&p->channel), pidfd = channel_take_fd(&p->channel);

        if (channel < 0 || pidfd < 0) {
                if (channel >= 0)
                        close(channel);
                if (pidfd >= 0)
                        close(pidfd);
                reap_stranger(s, (pid_t)body->spawn_reply.pid);
                return wire_refuse(why, WIRE_BAD_FRAME, "a spawned worker came without its descriptors");
        }
        s->ops->on_spawned(s, seq, (pid_t)body->spawn_reply.pid, channel, pidfd);
        return 0;
}

static int on_failure(struct peer *p, uint64_t seq, const struct wire_failure *f, struct wire_refusal *why)
{
        struct spawner_link *s = of_peer(p);
        char reason[256];

        (void)why;
        snprintf(reason, sizeof(reason), "%.*s", (int)f->message.len, (const char *)f->message.data);
        s->ops->on_failed(s, seq, reason);
        return 0;
}

static const struct peer_handler handlers[WIRE_IDS] = {
        [WIRE_ID_spawn_ready] = {on_prepared},
        [WIRE_ID_spawn_reply] = {on_spawned},
};

static const struct peer_ops peer_ops = {
        .name = "spawner",
        .from = WIRE_SPAWNER,
        .always_heard = true,
        .reply = WIRE_MESSAGE(spawn_reply),
        .handlers = handlers,
        .on_failure = on_failure,
        .on_refused = subprocess_on_refused,
        .on_closed = subprocess_on_closed,
};

static int greet(struct subprocess *h)
{
        return peer_send(&h->peer, WIRE_MESSAGE(spawn_setup), 0, &of_process(h)->setup);
}

static void on_lost(struct subprocess *h)
{
        of_process(h)->ops->on_lost(of_process(h));
}

static const struct subprocess_ops process_ops = {
        .program = HELPER_SPAWNER,
        .name = "spawner",
        .lost = "spawner-lost",
        .peer = &peer_ops,
        .frame_max = FRAME_MAX,
        .out_max = OUT_MAX,
        .takes_fds = true,
        .tidies_ms = TIDIES_MS,
        .greet = greet,
        .on_lost = on_lost,
};

int spawner_link_init(struct spawner_link *s, struct loop *loop, struct starter_link *starter,
        const struct wire_spawn_setup *setup, const struct config_worker *config, const struct spawner_link_ops *ops)
{
        *s = (struct spawner_link){.ops = ops, .setup = *setup};
        subprocess_init(&s->process, loop, starter, config, &process_ops);
        return subprocess_start(&s->process);
}

void spawner_link_fini(struct spawner_link *s)
{
        subprocess_fini(&s->process);
}

int spawner_link_request(struct spawner_link *s, uint64_t token, const struct wire_spawn *body)
{
        return s->process.state == SUBPROCESS_READY ? peer_send(&s->process.peer, WIRE_MESSAGE(spawn), token, body) : -EAGAIN;
}
