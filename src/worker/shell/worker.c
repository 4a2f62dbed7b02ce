/* The loop: the channel, the tree's end, its two streams, and the clock. */
#include "worker/shell/worker.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/utf8.h"
#include "sandbox/instrument.h"
#include "sandbox/jail_probe.h"
#include "wire/exits.h"
#include "worker/layers.h"
#include "worker/port.h"
#include "worker/shell/run.h"
#include "worker/shell/settings.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

/* Over this many bytes that the supervisor has not taken a followed command's output is left in its pipes. */
enum { BACKLOG_MAX = 1024 * 1024, DESCRIPTORS = 1024, LEARNER_FD = 4, MS_PER_S = 1000 };

static struct wire_spawn_setup setup;
static struct filter filter;
static const struct cgroup_host *groups;

struct shell {
        struct port port; /* first: its callbacks get it */
        struct jail jail;
        uid_t uid;
        unsigned int slot;
        struct bytes own;    /* layers around this process */
        unsigned int probed; /* of jail.builds */
        bool learns;
        struct settings settings;
        bool stale; /* allow is to be read again */
        struct allow allow;
        struct run run;
        struct outcome outcome;
};

int worker_shell_prepare(const struct wire_spawn_setup *s)
{
        setup = *s;
        /* Trees are no part of a sanitizer's runtime, so the filter holds for them also then. */
        return RUNNING_ON_VALGRIND ? 0 : filter_build(&filter, PROFILE_SHELL, false);
}

void worker_shell_offer_groups(const struct cgroup_host *offered)
{
        groups = offered;
}

static struct shell *shell_of(struct port *p)
{
        return (struct shell *)p;
}

/* ---- the jail as the settings want it ---- */

static int open_jail(struct shell *s)
{
        const struct settings *now = &s->settings;
        const struct jail_spec spec = {
                .filter = filter.len ? &filter : NULL,
                .paths = (const char *const *)now->paths.items,
                .network = now->network,
                .uid = s->uid,
                .disk_bytes = now->max_disk_bytes,
                .disk_files = now->max_files,
                .memory_bytes = setup.max_memory_bytes,
                .cpu_seconds = (setup.max_cpu_ms + MS_PER_S - 1) / MS_PER_S,
                .processes = now->max_tree_processes,
                .descriptors = DESCRIPTORS,
                .learner = s->learns ? LEARNER_FD : 0,
                .tree_memory_bytes = now->max_tree_memory_bytes,
                .groups = groups,
                .slot = s->slot,
        };
        int r = jail_open(&s->jail, &spec);

        /* Rules name executables by what the jail's root has of them. */
        if (!r && s->stale)
                r = allow_read(&s->allow, now->allow);
        s->stale = s->stale && r;
        return r;
}

/* The layers around this process and those around its commands, as they are found. */
static int tell_layers(struct shell *s, void (*tell)(struct port *, struct bytes))
{
        enum layer_state states[JAIL_N_LAYERS];
        CLEANUP(buf_fini) struct buf layers;
        int r;

        buf_init(&layers, 0);
        /* What would be learned of the probe is none of a command's. */
        if (s->learns)
                s->jail.spec.filter = NULL;
        r = jail_probe(&s->jail, states);
        if (s->learns)
                s->jail.spec.filter = &filter;
        if (!r)
                r = layers_join(s->own, states, &layers);
        if (r)
                return r;
        tell(&s->port, buf_bytes(&layers));
        s->probed = s->jail.builds;
        return 0;
}

static void on_configure(struct port *p, struct bytes map)
{
        struct shell *s = shell_of(p);

        if (settings_read(&s->settings, map) < 0)
                _exit(WORKER_EXIT_MEMORY);
        s->stale = true;
}

/* ---- a run's beginning ---- */

static void reply(struct shell *s, uint32_t seq)
{
        port_reply(&s->port, seq, &s->outcome, (struct bytes){0});
        outcome_reset(&s->outcome);
}

static void refuse(struct shell *s, uint32_t seq, int r, struct wire_refusal *why)
{
        outcome_reset(&s->outcome);
        utf8_repair(why->message);
        if (r > 0)
                outcome_fail(&s->outcome, why->code, "%s", why->message);
        else
                outcome_fail(&s->outcome, WIRE_WORKER_CRASHED, "no jail for the command: %s",
                        *s->jail.fault ? s->jail.fault : error_text(r));
        reply(s, seq);
        /* What cannot be had here now may be had by a fresh one. */
        if (r < 0)
                port_retire(&s->port, "could not jail a command");
}

static int start(struct shell *s, struct bytes task, struct wire_refusal *why)
{
        struct request q;
        int r;

        request_init(&q);
        s->jail.fault[0] = '\0';
        r = open_jail(s);
        if (!r && s->probed != s->jail.builds)
                r = tell_layers(s, port_locked);
        if (!r)
                r = request_read(&q, task, &s->allow, s->settings.env, why);
        if (!r)
                r = run_start(&s->run, &s->jail, &q, s->settings.max_output_bytes, why);
        request_fini(&q);
        return r;
}

static void on_run(struct port *p, uint32_t seq, const struct wire_worker_run *body)
{
        struct shell *s = shell_of(p);
        struct wire_refusal why = {0};
        int r;

        if (s->run.active)
                _exit(WORKER_EXIT_PROTOCOL);
        s->run.seq = seq;
        s->run.followed = body->follow;
        s->run.refollow = false;
        s->run.timeout_ms = body->timeout;
        s->run.max_cpu_us = setup.max_cpu_ms * 1000;
        s->run.deadline = body->timeout ? clock_now() + (int64_t)body->timeout * NS_PER_MS : INT64_MAX;
        r = start(s, body->task, &why);
        if (r)
                refuse(s, seq, r, &why);
}

static void on_cancel(struct port *p, uint32_t seq)
{
        struct shell *s = shell_of(p);

        if (s->run.active && s->run.seq == seq)
                run_stop(&s->run, WIRE_CANCELLED);
}

static void on_follow(struct port *p, uint32_t seq)
{
        struct shell *s = shell_of(p);

        if (s->run.active && s->run.seq == seq)
                s->run.refollow = true;
}

static const struct port_ops ops = {
        .run = on_run, .cancel = on_cancel, .follow = on_follow, .configure = on_configure};

/* ---- while it runs ---- */

static void read_stream(struct shell *s, int i)
{
        struct capture *c = &s->run.streams[i];
        struct bytes kept;

        if (capture_read(c, &kept) && s->run.followed)
                port_output(&s->port, s->run.seq, (enum wire_stream)i, buf_size(&c->kept) - kept.len, kept);
}

/* From the first byte on, whoever has seen some of it before. Many who come at once are answered once. */
static void follow_again(struct shell *s)
{
        s->run.refollow = false;
        s->run.followed = true;
        for (int i = 0; i < RUN_STREAMS; i++)
                port_output(&s->port, s->run.seq, (enum wire_stream)i, 0, buf_bytes(&s->run.streams[i].kept));
}

/* What was still in the pipes is said before the reply. */
static void finish(struct shell *s)
{
        for (int i = 0; i < RUN_STREAMS; i++) {
                struct capture *c = &s->run.streams[i];
                size_t seen = buf_size(&c->kept);

                capture_end(c);
                if (s->run.followed && !s->run.refollow)
                        port_output(&s->port, s->run.seq, (enum wire_stream)i, seen,
                                (struct bytes){buf_head(&c->kept) + seen, buf_size(&c->kept) - seen});
        }
        if (s->run.refollow)
                follow_again(s);
        run_finish(&s->run, &s->outcome);
        reply(s, s->run.seq);
}

static int wait_ms(const struct shell *s, int64_t due)
{
        int beat = port_wait_ms(&s->port);
        int64_t left = due == INT64_MAX ? INT_MAX : (due - clock_now() + NS_PER_MS - 1) / NS_PER_MS;

        if (left < 0)
                left = 0;
        return beat >= 0 && beat < left ? beat : (int)left;
}

enum { CHANNEL, TREE, PIPES, POLLED = PIPES + RUN_STREAMS };

static void turn(struct shell *s)
{
        struct pollfd fds[POLLED] = {
                [CHANNEL] = {.fd = s->port.channel.fd, .events = port_events(&s->port)}, [TREE] = {.fd = -1}};
        bool held = (s->run.followed || s->run.refollow) && port_backlog(&s->port) > BACKLOG_MAX;
        int64_t due = INT64_MAX;

        if (s->run.active) {
                due = run_tick(&s->run, clock_now());
                if (s->run.refollow && !held)
                        follow_again(s);
                fds[TREE] = (struct pollfd){.fd = s->run.tree.pidfd, .events = POLLIN};
        }
        for (int i = 0; i < RUN_STREAMS; i++)
                fds[PIPES + i] = (struct pollfd){
                        .fd = s->run.active && !held ? s->run.streams[i].fd : -1, .events = POLLIN};
        if (poll(fds, POLLED, wait_ms(s, due)) < 0 && errno != EINTR)
                _exit(WORKER_EXIT_CHANNEL);
        for (int i = 0; i < RUN_STREAMS; i++)
                if (fds[PIPES + i].revents)
                        read_stream(s, i);
        if (fds[TREE].revents)
                finish(s);
        port_serve(&s->port, fds[CHANNEL].revents);
}

/* ---- a worker's beginning ---- */

static _Noreturn void give_up(struct shell *s, int r)
{
        port_failed(&s->port, "no command can be jailed: %s", *s->jail.fault ? s->jail.fault : error_text(r));
        _exit(WORKER_EXIT_HANDLER);
}

static void announce(struct shell *s)
{
        int r = open_jail(s);

        if (!r)
                r = tell_layers(s, port_ready);
        if (r)
                give_up(s, r);
}

_Noreturn void worker_shell_run(int channel_fd, const struct wire_spawn *ask, struct bytes layers)
{
        static struct shell s;

        if (port_open(&s.port, channel_fd, &setup, &ops) < 0 || outcome_init(&s.outcome, &setup) < 0)
                _exit(WORKER_EXIT_MEMORY);
        s.uid = jail_uid(getppid(), ask->slot);
        s.slot = (unsigned int)ask->slot;
        s.own = layers;
        s.learns = ask->learn;
        if (s.learns)
                filter_instead(&filter, FILTER_LEARNS);
        s.stale = true;
        jail_init(&s.jail);
        settings_init(&s.settings);
        run_init(&s.run);
        announce(&s);
        for (;;)
                turn(&s);
}
