/* The master's side of a spawner, blocking, for tests; and the workers' side, which obeys. */
#include "nursery.h"

#include "spawner/spawner.h"
#include "wire/cursor.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int64_t (*const *worker_bids)(void);

static void run(int fd, const struct wire_spawn *ask, struct bytes layers)
{
        uint32_t len = (uint32_t)layers.len;
        uint8_t bid;

        (void)ask;
        if (write(fd, &len, sizeof(len)) != sizeof(len) || write(fd, layers.data, layers.len) != (ssize_t)layers.len)
                _exit(1);
        while (read(fd, &bid, 1) == 1) {
                int64_t result = worker_bids[bid]();

                if (write(fd, &result, sizeof(result)) != sizeof(result))
                        _exit(1);
        }
        _exit(0);
}

int (*nursery_load)(const struct wire_spawn *ask);

static int load_as_told(const struct wire_spawn *ask, struct wire_refusal *why)
{
        (void)why;
        return nursery_load ? nursery_load(ask) : 0;
}

/* What a handler's type asks for. */
static int load(const struct wire_spawn *ask, struct wire_refusal *why)
{
        const struct wire_handler *handler = &ask->handler;

        if (wire_str_is(handler->type, "refused"))
                return wire_refuse(why, WIRE_WORKER_CRASHED, "%.*s is not liked", (int)handler->plugin.len,
                        (const char *)handler->plugin.data);
        if (wire_str_is(handler->type, "broken"))
                return -ENOENT;
        if (wire_str_is(handler->type, "fat"))
                return mmap(NULL, NURSERY_FAT, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -ENOMEM : 0;
        return 0;
}

static const struct spawner_class classes[] = {
        {.name = "js", .run = (__typeof__(classes->run))run},
        {.name = "http", .load = load_as_told, .run = (__typeof__(classes->run))run},
        {.name = "plugin", .handlers = true, .load = load, .run = (__typeof__(classes->run))run},
};

static size_t image_bytes(void)
{
        return 4711;
}

struct wire_spawn_setup nursery_setup(void)
{
        struct wire_spawn_setup s = {0};

        WIRE_SET(&s, spawn_setup, max_memory_bytes, 16 * 1024 * 1024);
        WIRE_SET(&s, spawn_setup, max_cpu_ms, 0);
        WIRE_SET(&s, spawn_setup, heartbeat_ms, 1000);
        WIRE_SET(&s, spawn_setup, max_result_bytes, 1024 * 1024);
        WIRE_SET(&s, spawn_setup, max_log_bytes, 65536);
        WIRE_SET(&s, spawn_setup, log_level, 0);
        return s;
}

static struct bytes next_frame(struct nursery *n)
{
        struct bytes frame = {0};
        int r;

        while ((r = channel_next(&n->channel, &frame)) == CHANNEL_AGAIN)
                assert_int_equal(channel_fill(&n->channel), 0);
        assert_int_equal(r, 0);
        return frame;
}

void nursery_open(struct nursery *n, int64_t (*const *bids)(void), const struct wire_spawn_setup *setup)
{
        struct wire_spawn_ready ready;
        struct wire_refusal why;
        int pair[2];

        worker_bids = bids;
        assert_int_equal(fd_pair(pair), 0);
        n->spawner = fork();
        assert_true(n->spawner >= 0);
        if (!n->spawner)
                _exit(spawner_main(pair[1], classes, sizeof(classes) / sizeof(classes[0]), image_bytes));
        close(pair[1]);
        assert_int_equal(fd_set_nonblock(pair[0], 0), 0);
        channel_init(&n->channel, pair[0], 65536, 65536);
        n->channel.takes_fds = true;
        assert_int_equal(channel_send(&n->channel, WIRE_MESSAGE(spawn_setup), 0, setup), 0);
        assert_int_equal(channel_flush(&n->channel), 0);
        assert_int_equal(wire_decode(WIRE_MESSAGE(spawn_ready), next_frame(n), &ready, &why), 0);
        assert_int_equal(ready.image_bytes, 4711);
}

int nursery_close(struct nursery *n)
{
        int status;

        channel_fini(&n->channel);
        assert_int_equal(waitpid(n->spawner, &status, 0), n->spawner);
        return status;
}

struct bytes nursery_ask(struct nursery *n, uint64_t class, const struct wire_handler *handler)
{
        struct wire_spawn ask = {0};

        WIRE_SET(&ask, spawn, class, class);
        WIRE_SET(&ask, spawn, slot, 0);
        if (handler)
                WIRE_SET(&ask, spawn, handler, *handler);
        assert_int_equal(channel_send(&n->channel, WIRE_MESSAGE(spawn), 7, &ask), 0);
        assert_int_equal(channel_flush(&n->channel), 0);
        return next_frame(n);
}

static bool read_whole(int fd, void *to, size_t n)
{
        for (size_t done = 0; done < n;) {
                ssize_t got = read(fd, (char *)to + done, n - done);

                if (got <= 0)
                        return false;
                done += (size_t)got;
        }
        return true;
}

void infant_begin(struct nursery *n, struct infant *w, uint64_t class, const struct wire_handler *handler)
{
        struct bytes frame = nursery_ask(n, class, handler);
        struct wire_spawn_reply reply;
        struct wire_refusal why;
        struct wire_head head;

        assert_int_equal(wire_open(frame, &head, &why), 0);
        assert_true(head.is_reply && head.ok && head.seq == 7);
        assert_int_equal(wire_decode(WIRE_MESSAGE(spawn_reply), frame, &reply, &why), 0);
        w->pid = (pid_t)reply.pid;
        w->channel = channel_take_fd(&n->channel);
        w->pidfd = channel_take_fd(&n->channel);
        assert_true(w->channel >= 0 && w->pidfd >= 0);
        assert_int_equal(fd_set_nonblock(w->channel, 0), 0);
}

static void hear_layers(struct infant *w)
{
        uint32_t len;

        assert_true(read_whole(w->channel, &len, sizeof(len)));
        assert_true(len <= sizeof(w->layers));
        w->layers_len = len;
        assert_true(read_whole(w->channel, w->layers, len));
}

void infant_spawn_class(struct nursery *n, struct infant *w, uint64_t class)
{
        infant_begin(n, w, class, NULL);
        hear_layers(w);
}

void infant_spawn(struct nursery *n, struct infant *w)
{
        infant_spawn_class(n, w, CLASS_WORD_JS);
}

struct wire_handler nursery_handler(const char *type)
{
        struct wire_handler h = {0};

        WIRE_SET(&h, handler, type, wire_str(type));
        WIRE_SET(&h, handler, plugin, wire_str("/a/plugin.so"));
        WIRE_SET(&h, handler, profile, PROFILE_JS);
        return h;
}

void infant_spawn_plugin(struct nursery *n, struct infant *w, const struct wire_handler *handler)
{
        infant_begin(n, w, CLASS_WORD_PLUGIN, handler);
        hear_layers(w);
}

bool infant_bid(struct infant *w, uint8_t bid, int64_t *result)
{
        assert_int_equal(write(w->channel, &bid, 1), 1);
        return read_whole(w->channel, result, sizeof(*result));
}

int infant_reap(struct infant *w)
{
        struct pollfd p = {.fd = w->pidfd, .events = POLLIN};
        int status;

        close(w->channel);
        assert_int_equal(poll(&p, 1, -1), 1);
        assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
        close(w->pidfd);
        return status;
}

struct bytes infant_layer(const struct infant *w, const char *name)
{
        struct bytes word = {0};

        assert_true(wire_lookup_str((struct bytes){w->layers, w->layers_len}, name, &word));
        return word;
}

static rlim_t limit_from(const char *text)
{
        return strncmp(text, "unlimited", 9) ? strtoull(text, NULL, 10) : RLIM_INFINITY;
}

/* A title, and then one line for each limit in the order of their numbers, in columns of fixed width. */
struct rlimit infant_limit(const struct infant *w, int resource)
{
        enum { SOFT = 26, HARD = 47 };
        char path[64], line[128] = "";
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/limits", w->pid);
        f = fopen(path, "re");
        assert_non_null(f);
        for (int i = 0; i < resource + 2; i++)
                assert_non_null(fgets(line, sizeof(line), f));
        fclose(f);
        assert_true(strlen(line) > HARD);
        return (struct rlimit){limit_from(line + SOFT), limit_from(line + HARD)};
}
