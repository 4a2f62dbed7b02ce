/*
 * Put, take and finish on the store's own channel: what the queue's durability costs when nothing is run.
 *   bench_keep PROGRAM FILE COUNT WINDOW
 * As the supervisor does with tasks that find a free worker: a job is accepted and its attempt written ahead, which are one
 * commit; when both are acknowledged it is taken, and its end is sent. WINDOW jobs at a time. One job's time runs from its
 * acceptance to the acknowledgement of its end. Before the clock starts the log has grown to the size that it keeps, as
 * beanstalkd's has from its start.
 */
#include "base/clock.h"
#include "base/fd.h"
#include "measure.h"
#include "wire/channel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WINDOW_MAX = 1024, CHANNEL_FD = 3, GROW_COUNT = 20000, GROW_WINDOW = 256 };
enum step_kind { ACCEPT, ATTEMPT, END };

/* One step under way; they are acknowledged in the order of their numbers. */
struct step {
        uint64_t place;
        enum step_kind kind;
        int64_t started; /* of the job */
};

static struct bench {
        struct channel channel;
        struct step steps[WINDOW_MAX];
        uint64_t sent, done, place;
        size_t count, under_way, finished;
        struct measure measure;
        pid_t pid;
} b;

static void start(const char *program)
{
        int pair[2];

        if (fd_pair(pair) < 0)
                measure_die("socketpair");
        b.pid = fork();
        if (!b.pid) {
                dup2(pair[1], CHANNEL_FD);
                fd_keep_on_exec(CHANNEL_FD);
                execl(program, "poppod-store", (char *)NULL);
                _exit(127);
        }
        close(pair[1]);
        fd_set_nonblock(pair[0], 0);
        channel_init(&b.channel, pair[0], CHANNEL_FRAME_MAX, 0);
}

static void put(const struct wire_message *m, const void *body)
{
        if (channel_send(&b.channel, m, 0, body))
                measure_die("send");
}

static void open_file(const char *path)
{
        static const uint8_t owner[16] = {1};
        struct wire_store_open body = {0};

        WIRE_SET(&body, store_open, engine, 0);
        WIRE_SET(&body, store_open, sync, 0);
        WIRE_SET(&body, store_open, path, wire_str(path));
        WIRE_SET(&body, store_open, owner, (struct bytes){owner, sizeof(owner)});
        WIRE_SET(&body, store_open, log_level, 0);
        put(WIRE_MESSAGE(store_open), &body);
        channel_flush(&b.channel);
}

/* A map of one entry with this many bytes. */
static struct bytes map_of(uint8_t map[static 128], size_t n)
{
        memcpy(map, "\x81\xa0\xc4", 3);
        map[3] = (uint8_t)(n - 4);
        return (struct bytes){map, n};
}

static uint8_t options[128], payload[128];

static void send_accept(const struct step *s)
{
        struct wire_store_accept body = {0};
        uint8_t id[16] = {0};

        memcpy(id, &s->place, sizeof(s->place));
        WIRE_SET(&body, store_accept, number, b.sent);
        WIRE_SET(&body, store_accept, place, s->place);
        WIRE_SET(&body, store_accept, id, (struct bytes){id, sizeof(id)});
        WIRE_SET(&body, store_accept, project, wire_str("default"));
        WIRE_SET(&body, store_accept, priority, 0);
        WIRE_SET(&body, store_accept, not_before, 0);
        WIRE_SET(&body, store_accept, options, map_of(options, 110));
        WIRE_SET(&body, store_accept, task, map_of(payload, 60));
        put(WIRE_MESSAGE(store_accept), &body);
}

static void send_attempt(const struct step *s)
{
        struct wire_store_attempt body = {0};

        WIRE_SET(&body, store_attempt, number, b.sent);
        WIRE_SET(&body, store_attempt, place, s->place);
        WIRE_SET(&body, store_attempt, fence, 1);
        WIRE_SET(&body, store_attempt, lease_until, 0);
        WIRE_SET(&body, store_attempt, attempts, wire_str("\x91\x01"));
        put(WIRE_MESSAGE(store_attempt), &body);
}

static void send_end(const struct step *s)
{
        struct wire_store_forget forget = {0};
        struct wire_store_end body = {0};

        WIRE_SET(&body, store_end, number, b.sent);
        WIRE_SET(&body, store_end, place, s->place);
        WIRE_SET(&body, store_end, fence, 1);
        WIRE_SET(&body, store_end, state, 0);
        WIRE_SET(&body, store_end, ended_at, 1);
        WIRE_SET(&body, store_end, expires_at, 0);
        WIRE_SET(&body, store_end, attempts, wire_str("\x91\x01"));
        WIRE_SET(&body, store_end, outcome, map_of(payload, 60));
        put(WIRE_MESSAGE(store_end), &body);
        WIRE_SET(&forget, store_forget, place, s->place);
        put(WIRE_MESSAGE(store_forget), &forget);
}

static void go_on(struct step s)
{
        static void (*const senders[])(const struct step *) = {
                [ACCEPT] = send_accept, [ATTEMPT] = send_attempt, [END] = send_end};

        b.steps[++b.sent % WINDOW_MAX] = s;
        senders[s.kind](&s);
}

static void begin_jobs(size_t window)
{
        for (; b.under_way < window && b.place < b.count; b.under_way++) {
                struct step s = {.place = ++b.place, .kind = ACCEPT, .started = clock_now()};

                go_on(s);
                s.kind = ATTEMPT;
                go_on(s);
        }
}

static void take_done(uint64_t through)
{
        for (; b.done < through; ) {
                struct step s = b.steps[++b.done % WINDOW_MAX];

                if (s.kind == ATTEMPT) {
                        s.kind = END;
                        go_on(s);
                } else if (s.kind == END) {
                        measure_add(&b.measure, clock_now() - s.started);
                        b.under_way--;
                        b.finished++;
                }
        }
}

static void take_frames(void)
{
        struct wire_store_done done;
        struct wire_refusal why;
        struct wire_head head;
        struct bytes frame;

        if (channel_fill(&b.channel))
                measure_die("the store ended");
        while (!channel_next(&b.channel, &frame)) {
                if (wire_open(frame, &head, &why))
                        measure_die("frame");
                if (!wire_str_is(head.op, "done"))
                        continue;
                if (wire_decode(WIRE_MESSAGE(store_done), frame, &done, &why) || done.outcome)
                        measure_die("a change was refused");
                take_done(done.through);
        }
}

/* So many more jobs. */
static void run_jobs(size_t count, size_t window)
{
        b.count = b.finished + count;
        measure_start(&b.measure, count);
        while (b.finished < b.count) {
                begin_jobs(window);
                if (channel_flush(&b.channel))
                        measure_die("flush");
                take_frames();
        }
}

int main(int argc, char **argv)
{
        size_t count, window;

        if (argc != 5)
                return 64;
        count = strtoul(argv[3], NULL, 10);
        window = strtoul(argv[4], NULL, 10);
        if (!count || !window || window > WINDOW_MAX / 2)
                return 64;
        start(argv[1]);
        open_file(argv[2]);
        run_jobs(GROW_COUNT, GROW_WINDOW);
        free(b.measure.ns);
        run_jobs(count, window);
        measure_report(&b.measure);
        channel_fini(&b.channel);
        waitpid(b.pid, NULL, 0);
        return 0;
}
