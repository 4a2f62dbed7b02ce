/* The worker's life: prepare once, then receive, run, reply, restore, until the channel closes. */
#include "worker/js/worker.h"

#include "base/clock.h"
#include "base/error.h"
#include "wire/exits.h"
#include "worker/js/arena.h"
#include "worker/js/console.h"
#include "worker/js/line.h"
#include "worker/js/loads.h"
#include "worker/js/stack.h"
#include "worker/js/task.h"
#include "worker/js/world.h"
#include "worker/js/worlds.h"
#include "worker/live.h"

#include <malloc.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A buffer of this size or more is a mapping of its own to malloc: it grows by moving pages and goes back
 * whole, so that no piece of a task's bytes stays behind in freed memory. */
enum { OWN_MAPPING = 64 * 1024, FRAME_HEADROOM = 512 * 1024 };

static struct {
        struct wire_spawn_setup setup;
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
        r = world_build(on_engine_fatal);
        return r < 0 ? r : worlds_init();
}

size_t worker_js_image_bytes(void)
{
        return worlds_first_bytes();
}

static void send_output(const struct wire_worker_output *output)
{
        line_send(WIRE_MESSAGE(worker_output), 0, output);
}

static void wipe(struct buf *b, size_t written)
{
        if (written)
                memset(b->data, 0, written);
}

static void reply(uint64_t seq)
{
        struct wire_worker_run_reply body;

        if (outcome_reply(&worker.outcome, &worker.logs, &body) < 0)
                _exit(WORKER_EXIT_MEMORY);
        line_send(WIRE_MESSAGE(worker_run_reply), seq, &body);
        wipe(&worker.logs, worker.logs.len);
        worker.logs.len = 0;
}

static void forget_task(void)
{
        line_forget();
        task_forget();
        outcome_reset(&worker.outcome);
        worlds_leave();
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

/* Settings are of no use to this class, and an answer of the loader's may come after the task that asked. */
static bool is_of_no_matter(const struct wire_head *head)
{
        return loads_is_late(head) || wire_str_is(head->op, WIRE_MESSAGE(worker_configure)->name);
}

static void serve(struct bytes frame, const struct wire_head *head)
{
        struct wire_refusal why;
        struct wire_worker_run body;

        if (is_of_no_matter(head))
                return;
        if (!wire_str_is(head->op, WIRE_MESSAGE(worker_run)->name) || !head->has_seq ||
                wire_decode(WIRE_MESSAGE(worker_run), frame, &body, &why))
                line_fail();
        run(&body, head->seq);
        forget_task();
}

static int open_buffers(int fd)
{
        const struct wire_spawn_setup *s = &worker.setup;
        size_t reply_bytes = s->max_result_bytes + s->max_log_bytes + FRAME_HEADROOM;
        int r;

        mallopt(M_MMAP_THRESHOLD, OWN_MAPPING);
        buf_init(&worker.logs, s->max_log_bytes + FRAME_HEADROOM);
        r = line_open(fd, reply_bytes);
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
        line_send(WIRE_MESSAGE(worker_ready), 0, &ready);
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
        for (;;) {
                struct wire_head head;
                struct bytes frame = line_receive(&head);

                serve(frame, &head);
        }
}
