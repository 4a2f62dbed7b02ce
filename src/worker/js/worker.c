/* The worker's life: prepare once, then receive, run, reply, restore, until the channel closes. */
#include "worker/js/worker.h"

#include "base/clock.h"
#include "base/error.h"
#include "wire/channel.h"
#include "wire/exits.h"
#include "worker/beat.h"
#include "worker/js/arena.h"
#include "worker/js/console.h"
#include "worker/live.h"
#include "worker/js/stack.h"
#include "worker/js/task.h"
#include "worker/js/world.h"

#include <malloc.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A buffer of this size or more is a mapping of its own to malloc: it grows by moving pages and goes back
 * whole, so that no piece of a task's bytes stays behind in freed memory. */
enum { OWN_MAPPING = 64 * 1024, FRAME_HEADROOM = 512 * 1024 };

static struct {
        struct wire_spawn_setup setup;
        struct channel channel;
        struct outcome outcome;
        struct buf logs;
} worker;

static void on_engine_fatal(void *udata, const char *message)
{
        (void)udata;
        (void)message;
        _exit(WORKER_EXIT_ENGINE);
}

/* The engine's Date asks the C library for the local time. It is UTC, read now and asked
 * for by the same name later, so that no file is opened again. */
static void fix_time_zone(void)
{
        struct tm tm;
        time_t now = 0;

        setenv("TZ", "UTC", 1);
        tzset();
        localtime_r(&now, &tm);
        mktime(&tm);
}

int worker_js_prepare(const struct wire_spawn_setup *setup)
{
        int r;

        worker.setup = *setup;
        fix_time_zone();
        r = deadline_prepare();
        if (r < 0)
                return r;
        r = arena_map(setup->max_memory_bytes);
        if (r < 0)
                return r;
        return world_build(on_engine_fatal);
}

size_t worker_js_image_bytes(void)
{
        return arena_image_bytes();
}

/* The channel blocks, so that "again" only ever means that a signal came by. */
static void flush(void)
{
        int r;

        beat_hold();
        do {
                r = channel_flush(&worker.channel);
        } while (r == CHANNEL_AGAIN);
        beat_release();
        if (r)
                _exit(r == CHANNEL_CLOSED ? WORKER_EXIT_CLOSED : WORKER_EXIT_CHANNEL);
}

static void send_output(const struct wire_worker_output *output)
{
        if (channel_send(&worker.channel, WIRE_MESSAGE(worker_output), 0, output) < 0)
                _exit(WORKER_EXIT_MEMORY);
        flush();
}

static struct bytes receive(void)
{
        struct bytes frame;
        int r;

        while ((r = channel_next(&worker.channel, &frame)) == CHANNEL_AGAIN) {
                r = channel_fill(&worker.channel);
                if (r && r != CHANNEL_AGAIN)
                        _exit(r == CHANNEL_CLOSED ? WORKER_EXIT_CLOSED : WORKER_EXIT_CHANNEL);
        }
        if (r)
                _exit(WORKER_EXIT_PROTOCOL);
        return frame;
}

static void wipe(struct buf *b, size_t written)
{
        if (written)
                memset(b->data, 0, written);
}

static void reply(uint64_t seq)
{
        struct wire_worker_run_reply body;
        size_t written;

        if (outcome_reply(&worker.outcome, &worker.logs, &body) < 0 ||
                channel_send(&worker.channel, WIRE_MESSAGE(worker_run_reply), seq, &body) < 0)
                _exit(WORKER_EXIT_MEMORY);
        written = worker.channel.out.len;
        flush();
        /* A large buffer was given back by the flush, and its memory with it. */
        if (written <= worker.channel.out.cap)
                wipe(&worker.channel.out, written);
        wipe(&worker.logs, worker.logs.len);
        worker.logs.len = 0;
}

/* The task's frame is wiped where it lies, unless the next one is already behind it; then that one's room
 * covers it. */
static void forget_task(void)
{
        struct buf *in = &worker.channel.in;

        wipe(in, in->head + worker.channel.consumed);
        outcome_reset(&worker.outcome);
        arena_restore();
        stack_wipe();
}

static void run(const struct wire_worker_run *r, uint64_t seq)
{
        const struct deadline_limits limits = {
                .generation = (uint32_t)seq,
                .started_ns = clock_now(),
                .timeout_ms = r->timeout,
                .max_cpu_ms = worker.setup.max_cpu_ms,
        };

        console_begin(&worker.outcome, worker.setup.max_log_bytes, limits.started_ns);
        live_begin((uint32_t)seq, &worker.outcome, r->follow);
        task_run(r->task, &limits, &worker.outcome);
        live_send();
        reply(seq);
}

static void serve(struct bytes frame)
{
        struct wire_refusal why;
        struct wire_worker_run body;
        struct wire_head head;

        if (wire_open(frame, &head, &why) || !wire_str_is(head.op, WIRE_MESSAGE(worker_run)->name) ||
                !head.has_seq || wire_decode(WIRE_MESSAGE(worker_run), frame, &body, &why))
                _exit(WORKER_EXIT_PROTOCOL);
        run(&body, head.seq);
        forget_task();
}

static int open_buffers(int fd)
{
        const struct wire_spawn_setup *s = &worker.setup;
        size_t reply_bytes = s->max_result_bytes + s->max_log_bytes + FRAME_HEADROOM;
        int r;

        mallopt(M_MMAP_THRESHOLD, OWN_MAPPING);
        channel_init(&worker.channel, fd, CHANNEL_FRAME_MAX + FRAME_HEADROOM, reply_bytes);
        buf_init(&worker.logs, s->max_log_bytes + FRAME_HEADROOM);
        r = buf_reserve(&worker.channel.in, OWN_MAPPING);
        if (!r)
                r = buf_reserve(&worker.channel.out, OWN_MAPPING);
        if (!r)
                r = buf_reserve(&worker.logs, OWN_MAPPING);
        if (!r)
                r = live_init(s->max_log_bytes, send_output);
        return r ? r : outcome_init(&worker.outcome, s);
}

static void announce(struct bytes layers)
{
        struct wire_worker_ready ready = {0};

        WIRE_SET(&ready, worker_ready, layers, layers);
        if (channel_send(&worker.channel, WIRE_MESSAGE(worker_ready), 0, &ready) < 0)
                _exit(WORKER_EXIT_MEMORY);
        flush();
}

_Noreturn void worker_js_run(int channel_fd, const struct wire_spawn *ask, struct bytes layers)
{
        (void)ask;
        if (open_buffers(channel_fd) < 0)
                _exit(WORKER_EXIT_MEMORY);
        if (deadline_start(channel_fd, worker.setup.heartbeat_ms) < 0)
                _exit(WORKER_EXIT_ENGINE);
        announce(layers);
        stack_wipe();
        for (;;)
                serve(receive());
}
