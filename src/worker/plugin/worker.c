/*
 * The worker's life: it waits in recv(); what comes is kept by the port's callbacks, and the plugin's code is
 * called from the loop. While that runs, it looks at the channel itself whenever it asks whether to stop.
 */
#include "worker/plugin/worker.h"

#include "base/clock.h"
#include "sandbox/profile.h"
#include "wire/cursor.h"
#include "wire/exits.h"
#include "worker/beat.h"
#include "worker/plugin/host.h"
#include "worker/plugin/meter.h"
#include "worker/plugin/ticks.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TYPE_MAX = 64, TRACEPARENT = 55, KEEP_BYTES = 256 * 1024, WHY_BYTES = 300 };

static struct {
        struct wire_spawn_setup setup;
        struct plugin plugin;
        char type[TYPE_MAX + 1], profile[8];
        struct port port;
        struct buf task, settings;
        char traceparent[TRACEPARENT + 1];
        struct host_run run;
        bool waiting, running, unconfigured; /* a run waits to begin, runs; settings wait to be handed over */
} worker;

/* ---- before lock-down ---- */

int worker_plugin_prepare(const struct wire_spawn_setup *setup)
{
        worker.setup = *setup;
        return 0;
}

static void copy_text(char *to, size_t size, struct bytes from)
{
        size_t n = from.len < size ? from.len : size - 1;

        memcpy(to, from.data, n);
        to[n] = '\0';
}

static bool has_entries(struct bytes array)
{
        struct cursor c = cursor_over(array);
        struct wire_value head;

        return array.len && !cursor_read(&c, &head) && head.count;
}

int worker_plugin_load(const struct wire_spawn *ask, struct wire_refusal *why)
{
        const struct wire_handler *h = &ask->handler;
        char path[PATH_MAX];

        if (!WIRE_HAS(h, handler, plugin) || h->plugin.len >= sizeof(path))
                return wire_refuse(why, WIRE_WORKER_CRASHED, "no plugin is named");
        if (h->profile != PROFILE_JS && h->profile != PROFILE_HTTP)
                return wire_refuse(why, WIRE_WORKER_CRASHED, "a plugin's profile is js or http");
        if (h->network || has_entries(h->paths))
                return wire_refuse(why, WIRE_WORKER_CRASHED, "paths and network are for programs: a plugin has no jail");
        copy_text(worker.type, sizeof(worker.type), h->type);
        copy_text(worker.profile, sizeof(worker.profile),
                wire_word(WIRE_MESSAGE(handler)->fields[WIRE_AT_handler_profile].words, h->profile));
        copy_text(path, sizeof(path), h->plugin);
        return plugin_load(path, &worker.plugin, why);
}

/* ---- from the channel ---- */

static void replace(struct buf *b, struct bytes with)
{
        buf_consume(b, buf_size(b));
        buf_shrink(b, KEEP_BYTES);
        if (buf_append(b, with.data, with.len) < 0)
                _exit(WORKER_EXIT_MEMORY);
}

static void on_run(struct port *p, uint32_t seq, const struct wire_worker_run *body)
{
        bool traced = WIRE_HAS(body, worker_run, traceparent);

        (void)p;
        if (worker.waiting || worker.running)
                _exit(WORKER_EXIT_PROTOCOL);
        replace(&worker.task, body->task);
        if (traced)
                copy_text(worker.traceparent, sizeof(worker.traceparent), body->traceparent);
        worker.run = (struct host_run){.seq = seq,
                .task = buf_bytes(&worker.task),
                .started = clock_now(),
                .timeout_ms = body->timeout,
                .traceparent = traced ? worker.traceparent : NULL,
                .follow = body->follow};
        worker.waiting = true;
}

static void on_cancel(struct port *p, uint32_t seq)
{
        (void)p;
        if (worker.waiting && seq == worker.run.seq)
                worker.run.cancelled = true;
        if (worker.running)
                host_cancel(seq);
}

static void on_follow(struct port *p, uint32_t seq)
{
        (void)p;
        if (worker.waiting && seq == worker.run.seq)
                worker.run.follow = true;
        if (worker.running)
                host_follow(seq);
}

static void on_configure(struct port *p, struct bytes settings)
{
        (void)p;
        replace(&worker.settings, settings);
        worker.unconfigured = true;
}

/* In the middle of a run there is nothing in order that could be ended in good order. */
static void on_closed(struct port *p)
{
        (void)p;
        if (!worker.running && worker.plugin.code.fini)
                worker.plugin.code.fini(host_shown());
}

static const struct port_ops port_ops = {
        .run = on_run,
        .cancel = on_cancel,
        .follow = on_follow,
        .configure = on_configure,
        .closed = on_closed,
};

/* ---- the plugin's code ---- */

static void configure(void)
{
        const struct poppo_plugin *code = &worker.plugin.code;
        struct bytes settings = buf_bytes(&worker.settings);
        int r = 0;

        worker.unconfigured = false;
        if (code->configure)
                r = code->configure(host_shown(), (struct poppo_bytes){settings.data, settings.len});
        if (!r)
                return;
        port_failed(&worker.port, "configure() of plugin %s returned %d", code->name, r);
        _exit(WORKER_EXIT_HANDLER);
}

static void run(void)
{
        const struct poppo_plugin *code = &worker.plugin.code;
        struct poppo_run *public = host_begin(&worker.run);
        const char *function = "validate";
        int r = 0;

        worker.waiting = false;
        worker.running = true;
        host_default_code(WIRE_INVALID_TASK);
        if (code->validate)
                r = code->validate(public);
        if (!r) {
                host_default_code(WIRE_TASK_ERROR);
                function = "run";
                r = code->run(public);
        }
        host_end(function, r);
        worker.running = false;
}

static void init(void)
{
        const struct poppo_plugin *code = &worker.plugin.code;
        char why[WHY_BYTES] = "";
        int r = code->init ? code->init(host_shown(), why, sizeof(why)) : 0;

        if (!r)
                return;
        why[sizeof(why) - 1] = '\0';
        port_failed(
                &worker.port, "init() of plugin %s returned %d%s%s", code->name, r, *why ? ": " : "", why);
        _exit(WORKER_EXIT_HANDLER);
}

/* ---- life ---- */

/* It is the last one to be called: the plugin's own come first. */
static void on_exit_called(void)
{
        _exit(WORKER_EXIT_QUIT);
}

static void open_up(int fd)
{
        buf_init(&worker.task, 0);
        buf_init(&worker.settings, 0);
        if (port_open(&worker.port, fd, &worker.setup, &port_ops) < 0 || beat_open(fd) < 0 ||
                host_open(&worker.port, worker.type, worker.profile) < 0 || atexit(on_exit_called))
                _exit(WORKER_EXIT_MEMORY);
        port_beats_by_signal(&worker.port);
        meter_open(&worker.port, &worker.plugin);
        if (ticks_start(worker.setup.heartbeat_ms) < 0)
                _exit(WORKER_EXIT_MEMORY);
}

_Noreturn void worker_plugin_run(int channel_fd, const struct wire_spawn *ask, struct bytes layers)
{
        (void)ask;
        open_up(channel_fd);
        init();
        port_ready(&worker.port, layers);
        meter_announce();
        for (;;) {
                port_serve(&worker.port, POLLIN);
                if (worker.unconfigured)
                        configure();
                if (worker.waiting)
                        run();
        }
}
