/*
 * Load on a running poppod, as a pipelining client gives it.
 *   bench_load SOCKET ping|CODE COUNT WINDOW
 * CODE is run as execute-code, waited for; every reply must be ok and every record succeeded. One request's time runs
 * from its encoding to its reply.
 */
#include "base/clock.h"
#include "measure.h"
#include "wire/channel.h"
#include "wire/cursor.h"
#include "wire/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { WINDOW_MAX = 4096, OUT_MAX = 64 * 1024 * 1024 };

struct load {
        struct channel channel;
        struct wire_submit submit;
        struct buf task;
        bool is_ping;
        size_t count, window, sent, got;
        int64_t sent_at[WINDOW_MAX];
        struct measure measure;
};

static void connect_to(struct channel *ch, const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (strlen(path) >= sizeof(address.sun_path))
                exit(64);
        memcpy(address.sun_path, path, strlen(path));
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                measure_die(path);
        channel_init(ch, fd, CHANNEL_FRAME_MAX, OUT_MAX);
}

/* {type: "execute-code", code} is the same bytes for every request. */
static void prepare_task(struct load *l, const char *code)
{
        struct pack p;

        buf_init(&l->task, 0);
        pack_init(&p, &l->task);
        pack_map(&p, 2);
        pack_entry_text(&p, "type", "execute-code");
        pack_entry_text(&p, "code", code);
        WIRE_SET(&l->submit, submit, task, buf_bytes(&l->task));
        WIRE_SET(&l->submit, submit, wait, true);
}

static void fail(struct bytes frame)
{
        fprintf(stderr, "bench_load: not ok: %.*s\n", (int)frame.len, (const char *)frame.data);
        exit(1);
}

static void check_reply(const struct load *l, struct bytes frame, const struct wire_head *head)
{
        struct bytes result, state;

        if (!head->ok)
                fail(frame);
        if (l->is_ping || !head->seq)
                return;
        if (!wire_lookup(frame, "result", &result) || !wire_lookup_str(result, "state", &state) ||
                !wire_str_is(state, "succeeded"))
                fail(frame);
}

/* Numbers requests from 1; seq 0 is the greeting. */
static void take_frame(struct load *l, struct bytes frame)
{
        struct wire_refusal why;
        struct wire_head head;

        if (wire_open(frame, &head, &why) || !head.is_reply)
                fail(frame);
        check_reply(l, frame, &head);
        if (!head.seq)
                return;
        measure_add(&l->measure, clock_now() - l->sent_at[head.seq % WINDOW_MAX]);
        l->got++;
}

static void take_frames(struct load *l)
{
        struct bytes frame;
        int r = channel_fill(&l->channel);

        if (r && r != CHANNEL_AGAIN)
                measure_die("the connection ended");
        while (!channel_next(&l->channel, &frame))
                take_frame(l, frame);
}

/* sent_at has eight windows' worth of slots, so that a request which is overtaken by others keeps its own. */
static bool may_send(const struct load *l)
{
        return l->sent < l->count && l->sent - l->got < l->window;
}

static void send_some(struct load *l)
{
        const struct wire_ping ping = {0};

        while (may_send(l)) {
                uint64_t seq = ++l->sent;
                int r;

                l->sent_at[seq % WINDOW_MAX] = clock_now();
                r = l->is_ping ? channel_send(&l->channel, WIRE_MESSAGE(ping), seq, &ping) :
                                 channel_send(&l->channel, WIRE_MESSAGE(submit), seq, &l->submit);
                if (r < 0)
                        measure_die("channel_send");
        }
        if (channel_flush(&l->channel))
                measure_die("channel_flush");
}

static void greet(struct load *l)
{
        struct wire_hello hello = {0};

        WIRE_SET(&hello, hello, version, 1);
        WIRE_SET(&hello, hello, client, wire_str("bench"));
        if (channel_send(&l->channel, WIRE_MESSAGE(hello), 0, &hello) || channel_flush(&l->channel))
                measure_die("hello");
}

int main(int argc, char **argv)
{
        static struct load l;

        if (argc != 5)
                return 64;
        l.is_ping = !strcmp(argv[2], "ping");
        l.count = strtoul(argv[3], NULL, 10);
        l.window = strtoul(argv[4], NULL, 10);
        if (!l.count || !l.window || l.window > WINDOW_MAX / 8)
                return 64;
        prepare_task(&l, argv[2]);
        connect_to(&l.channel, argv[1]);
        greet(&l);
        measure_start(&l.measure, l.count);
        while (l.got < l.count) {
                send_some(&l);
                take_frames(&l);
        }
        measure_report(&l.measure);
        channel_fini(&l.channel);
        buf_fini(&l.task);
        return 0;
}
