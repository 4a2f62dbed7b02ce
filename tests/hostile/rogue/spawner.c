/*
 * A spawner like poppod's own, but for one thing: what it makes of some classes is a worker that was taken
 * over by native code. It is forked and locked down as ever, says that it is ready, and then does what it
 * likes with its channel: each one something else, as the dice of its number say. maxCpuTime in milliseconds
 * is the seed; ROGUES are the classes.
 */
#include "frames.h"

#include "base/fd.h"
#include "spawner/spawner.h"
#include "wire/channel.h"
#include "worker/http/class.h"
#include "worker/js/worker.h"
#include "worker/plugin/worker.h"
#include "worker/program/worker.h"
#include "worker/shell/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHANNEL_FD = 3, MANY = 400, FLOOD_BYTES = 24 * 1024 * 1024, PATIENCE_MS = 2000 };

static uint64_t seed, *born; /* shared by all, so that each has a number */

struct rogue {
        struct channel channel;
        struct dice dice;
        struct buf out;
        uint64_t seq; /* of the run that is under way */
};

/* ---- its end of the channel ---- */

/* The supervisor has closed it, or has no more room: then there is nothing to be done but wait for the end.
 */
static void give_up(void)
{
        _exit(0);
}

/* Blocking or not, as the class has it. */
static void write_all(const void *bytes, size_t n)
{
        const char *at = bytes;

        while (n) {
                ssize_t sent = send(CHANNEL_FD, at, n, MSG_NOSIGNAL);

                if (sent > 0) {
                        at += sent;
                        n -= (size_t)sent;
                } else if (errno == EAGAIN) {
                        poll(&(struct pollfd){.fd = CHANNEL_FD, .events = POLLOUT}, 1, PATIENCE_MS);
                } else if (errno != EINTR) {
                        give_up();
                }
        }
}

static void write_out(struct rogue *r)
{
        write_all(buf_head(&r->out), buf_size(&r->out));
        buf_consume(&r->out, buf_size(&r->out));
}

/* Until a run comes. Answers of the loader, settings and the like are passed over. */
static void await_run(struct rogue *r)
{
        struct wire_refusal why;
        struct wire_head head;
        struct bytes frame;
        int e;

        for (;;) {
                while ((e = channel_next(&r->channel, &frame)))
                        if (e != CHANNEL_AGAIN || (e = channel_fill(&r->channel))) {
                                if (e != CHANNEL_AGAIN)
                                        give_up();
                                poll(&(struct pollfd){.fd = CHANNEL_FD, .events = POLLIN}, 1, -1);
                        }
                if (!wire_open(frame, &head, &why) && wire_str_is(head.op, "run")) {
                        r->seq = head.seq;
                        return;
                }
        }
}

static void wait_for_the_end(void)
{
        for (;;)
                poll(NULL, 0, 1000);
}

/* ---- what it does instead ---- */

static void reply(struct rogue *r)
{
        frames_reply(&r->out, r->seq, dice_roll(&r->dice, UINT64_MAX));
        write_out(r);
}

static void say_what_workers_say(struct rogue *r)
{
        for (uint64_t k = dice_roll(&r->dice, MANY); k; k--) {
                frames_of_worker(&r->dice, &r->out, r->seq);
                write_out(r);
        }
        reply(r);
}

static void say_anything(struct rogue *r)
{
        for (uint64_t k = dice_roll(&r->dice, 20); k; k--)
                frames_any(&r->dice, &r->out, r->seq);
        write_out(r);
}

static void say_it_wrong(struct rogue *r)
{
        struct buf one;

        buf_init(&one, 0);
        for (uint64_t k = 1 + dice_roll(&r->dice, 20); k; k--) {
                frames_of_worker(&r->dice, &one, r->seq);
                frames_mutate(&r->dice, &one);
                buf_append(&r->out, buf_head(&one), buf_size(&one));
                buf_consume(&one, buf_size(&one));
        }
        buf_fini(&one);
        write_out(r);
        wait_for_the_end();
}

/* As long as it may be, and never whole. */
static void announce_and_stop(struct rogue *r)
{
        static const uint8_t heads[][4] = {{0xff, 0xff, 0xff, 0xff}, {0, 0, 0, 0}, {0, 0x10, 0, 0},
                {0, 0x20, 0, 0}, {0x01, 0, 0, 0}, {0, 0, 0, 1}, {0x7f, 0xff, 0xff, 0xff}};

        write_all(heads[dice_roll(&r->dice, sizeof(heads) / sizeof(heads[0]))], 4);
        for (uint64_t k = dice_roll(&r->dice, 100); k; k--)
                write_all("\x81\xa2op\xda\xff\xff", 7);
        wait_for_the_end();
}

static void answer_for_others(struct rogue *r)
{
        uint64_t own = r->seq;

        for (uint64_t k = dice_roll(&r->dice, 3); k; k--) {
                r->seq = own + dice_roll(&r->dice, 2) ? dice_roll(&r->dice, UINT64_MAX) : 0;
                frames_reply(&r->out, r->seq, 1);
        }
        r->seq = own;
        reply(r);
}

static void answer_twice(struct rogue *r)
{
        frames_reply(&r->out, r->seq, 1);
        frames_reply(&r->out, r->seq, 2);
        write_out(r);
}

/* What costs the least to say, as fast as it goes. */
static void flood(struct rogue *r)
{
        static const char beat[] = "\0\0\0\x09\x81\xa2op\xa4"
                                   "beat";

        for (int k = 0; k < 4096; k++)
                if (dice_once_in(&r->dice, 64))
                        frames_of_worker(&r->dice, &r->out, r->seq);
                else
                        buf_append(&r->out, beat, sizeof(beat) - 1);
        for (size_t sent = 0; sent < FLOOD_BYTES; sent += buf_size(&r->out))
                write_all(buf_head(&r->out), buf_size(&r->out));
        buf_consume(&r->out, buf_size(&r->out));
        reply(r);
}

static void flood_with_beats(struct rogue *r)
{
        static const char beat[] = "\0\0\0\x09\x81\xa2op\xa4"
                                   "beat";

        while (buf_size(&r->out) < 65536)
                buf_append(&r->out, beat, sizeof(beat) - 1);
        for (size_t sent = 0; sent < FLOOD_BYTES; sent += buf_size(&r->out))
                write_all(buf_head(&r->out), buf_size(&r->out));
        buf_consume(&r->out, buf_size(&r->out));
        reply(r);
}

static void say_nothing(struct rogue *r)
{
        (void)r;
        wait_for_the_end();
}

/* Its own channel, over and over; with a frame, and with what is none. */
static void pass_descriptors(struct rogue *r)
{
        char control[CMSG_SPACE(200 * sizeof(int))] = {0};
        struct cmsghdr *head = (struct cmsghdr *)control;
        size_t n = 1 + dice_roll(&r->dice, 200);

        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(n * sizeof(int));
        for (size_t i = 0; i < n; i++)
                ((int *)CMSG_DATA(head))[i] = dice_once_in(&r->dice, 2) ? CHANNEL_FD : 0;
        for (uint64_t k = dice_roll(&r->dice, 30); k; k--) {
                struct iovec part;
                struct msghdr message = {.msg_iov = &part,
                        .msg_iovlen = 1,
                        .msg_control = control,
                        .msg_controllen = CMSG_SPACE(n * sizeof(int))};

                frames_reply(&r->out, dice_once_in(&r->dice, 20) ? r->seq : 0, 1);
                buf_consume(&r->out, buf_size(&r->out));
                buf_append(&r->out,
                        "\0\0\0\x09\x81\xa2op\xa4"
                        "beat",
                        13);
                part = (struct iovec){buf_head(&r->out), buf_size(&r->out)};
                if (sendmsg(CHANNEL_FD, &message, MSG_NOSIGNAL) < 0 && errno != EAGAIN &&
                        errno != ETOOMANYREFS)
                        break;
                buf_consume(&r->out, buf_size(&r->out));
        }
        reply(r);
}

/* Without reading a single answer, and on when the run is over. */
static void ask_the_loader(struct rogue *r)
{
        static const char *const names[] = {
                "lodash", "./six", "../../etc/passwd", "/etc/passwd", "", "six\0x", "node_modules"};

        for (uint64_t k = 1 + dice_roll(&r->dice, 50); k; k--) {
                struct wire_load load = {0};

                WIRE_SET(&load, load, name,
                        wire_str(names[dice_roll(&r->dice, sizeof(names) / sizeof(names[0]))]));
                if (dice_once_in(&r->dice, 2))
                        WIRE_SET(&load, load, root, dice_roll(&r->dice, 64));
                if (dice_once_in(&r->dice, 2))
                        WIRE_SET(&load, load, from, wire_str("../x"));
                if (load.name.len)
                        wire_encode(&r->out, WIRE_MESSAGE(load), k, &load);
                write_out(r);
                if (dice_once_in(&r->dice, 10))
                        reply(r);
        }
        wait_for_the_end();
}

static void hang_up(struct rogue *r)
{
        static const int ways[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
        uint64_t way = dice_roll(&r->dice, 4);

        if (way == 3)
                close(CHANNEL_FD);
        else
                shutdown(CHANNEL_FD, ways[way]);
        wait_for_the_end();
}

static void drip(struct rogue *r)
{
        frames_reply(&r->out, r->seq, 1);
        for (; buf_size(&r->out); buf_consume(&r->out, 1)) {
                write_all(buf_head(&r->out), 1);
                poll(NULL, 0, (int)dice_roll(&r->dice, 4));
        }
}

static void end_itself(struct rogue *r)
{
        if (dice_once_in(&r->dice, 2))
                reply(r);
        if (dice_once_in(&r->dice, 3))
                __builtin_trap();
        _exit((int)dice_roll(&r->dice, 256));
}

static void behave(struct rogue *r)
{
        reply(r);
}

static void (*const ways[])(struct rogue *) = {say_what_workers_say, say_what_workers_say, say_anything,
        say_it_wrong, say_it_wrong, announce_and_stop, answer_for_others, answer_twice, flood,
        flood_with_beats, say_nothing, pass_descriptors, ask_the_loader, hang_up, drip, end_itself, behave,
        behave};

/* ---- its life ---- */

static void say_ready(const struct wire_spawn *ask, struct bytes layers)
{
        struct wire_worker_locked locked = {0};
        struct wire_worker_ready ready = {0};
        struct buf out;

        buf_init(&out, 0);
        WIRE_SET(&locked, worker_locked, layers, layers);
        WIRE_SET(&ready, worker_ready, layers, layers);
        if (wire_str_is(wire_word(WIRE_MESSAGE(spawn)->fields[WIRE_AT_spawn_class].words, ask->class),
                    "program")) {
                wire_encode(&out, WIRE_MESSAGE(worker_locked), 0, &locked);
                ready.has = 0;
        }
        wire_encode(&out, WIRE_MESSAGE(worker_ready), 0, &ready);
        write_all(buf_head(&out), buf_size(&out));
        buf_fini(&out);
}

_Noreturn static void run(int channel_fd, const struct wire_spawn *ask, struct bytes layers)
{
        struct rogue r = {.dice = {seed + __atomic_fetch_add(born, 1, __ATOMIC_SEQ_CST)}};

        buf_init(&r.out, 0);
        channel_init(&r.channel, channel_fd, CHANNEL_FRAME_MAX, 0);
        frames_layers = layers;
        /* Some cannot wait until they may speak. */
        if (dice_once_in(&r.dice, 12))
                (dice_once_in(&r.dice, 2) ? say_anything : say_it_wrong)(&r);
        say_ready(ask, layers);
        frames_layers = (struct bytes){0};
        if (dice_once_in(&r.dice, 12))
                ways[dice_roll(&r.dice, sizeof(ways) / sizeof(ways[0]))](&r);
        for (;;) {
                await_run(&r);
                ways[dice_roll(&r.dice, sizeof(ways) / sizeof(ways[0]))](&r);
        }
}

static int take_seed(const struct wire_spawn_setup *setup)
{
        seed = setup->max_cpu_ms << 20;
        born = mmap(NULL, sizeof(*born), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        return born == MAP_FAILED ? -errno : 0;
}

static int prepare_js(const struct wire_spawn_setup *setup)
{
        int r = take_seed(setup);

        return r ? r : worker_js_prepare(setup);
}

#ifdef ROGUE_JS
#define RUN_JS run
#define RUN_OTHER(name) name
#else
#define RUN_JS worker_js_run
#define RUN_OTHER(name) run
#endif

static const struct spawner_class classes[] = {
        {.name = "js", .prepare = prepare_js, .run = RUN_JS},
        {.name = "http",
                .prepare = class_http_prepare,
                .nonblocking = true,
                .load = class_http_load,
                .run = RUN_OTHER(class_http_run)},
        {.name = "plugin",
                .prepare = worker_plugin_prepare,
                .handlers = true,
                .load = worker_plugin_load,
                .run = RUN_OTHER(worker_plugin_run)},
        {.name = "program",
                .prepare = worker_program_prepare,
                .handlers = true,
                .jailer = true,
                .load = worker_program_load,
                .run = RUN_OTHER(worker_program_run)},
        {.name = "shell",
                .nonblocking = true,
                .jailer = true,
                .prepare = worker_shell_prepare,
                .run = RUN_OTHER(worker_shell_run)},
};

int main(void)
{
        return spawner_main(CHANNEL_FD, classes, sizeof(classes) / sizeof(classes[0]), worker_js_image_bytes);
}
