/* Peers over a real socket pair and a real loop: what is refused and how, back-pressure, and ends in awkward moments. */
#include "master/peer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

enum { FRAME_MAX = 64 * 1024, OUT_MAX = 4 * 1024 * 1024, PATIENCE_S = 20 };

static struct {
        struct loop loop;
        struct peer peer;
        struct channel far;
        struct ev_io ear; /* wakes the loop when the far end has something to hear */
        int ticks, calls, refusals, fatal, ends;
        struct wire_refusal why;
        uint64_t seq;
        char reason[64];
        size_t answer_bytes; /* what a ping is answered with, beyond the answer */
        bool close_in_call;
} stage;

static void on_heard(struct ev_loop *ev, struct ev_io *w, int events)
{
        (void)ev;
        (void)w;
        (void)events;
}

static void tick(struct loop *l)
{
        (void)l;
        stage.ticks++;
}

/* Any reply with a payload will do to fill the channel. */
static void answer_much(struct peer *p, size_t n)
{
        struct wire_refusal why;

        wire_refuse(&why, WIRE_TASK_ERROR, "%s", "a sentence that stands for an answer of some length");
        for (size_t sent = 0; sent < n; sent += 100)
                assert_int_equal(peer_refuse(p, 0, &why, -1), 0);
}

static int on_ping(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        struct wire_ping_reply reply = {0};
        size_t much = stage.answer_bytes;

        (void)body;
        stage.calls++;
        stage.answer_bytes = 0;
        if (stage.close_in_call) {
                peer_close(p);
                return wire_refuse(why, WIRE_BAD_FRAME, "refused after the close");
        }
        answer_much(p, much);
        return peer_send(p, WIRE_MESSAGE(ping_reply), seq, &reply);
}

static int on_hello(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        (void)seq;
        (void)body;
        (void)why;
        stage.calls++;
        p->state = WIRE_OPEN;
        return 0;
}

static int on_stats(struct peer *p, uint64_t seq, const union wire_body *body, struct wire_refusal *why)
{
        (void)p;
        (void)seq;
        (void)body;
        (void)why;
        stage.calls++;
        return 0;
}

static void on_refused(struct peer *p, uint64_t seq, const struct wire_refusal *why, bool fatal)
{
        stage.refusals++;
        stage.fatal += fatal;
        stage.why = *why;
        stage.seq = seq;
        if (fatal)
                peer_close(p);
}

static void on_closed(struct peer *p, const char *reason)
{
        stage.ends++;
        strncpy(stage.reason, reason, sizeof(stage.reason) - 1);
        peer_close(p);
}

static const struct peer_handler handlers[WIRE_IDS] = {
        [WIRE_ID_ping] = {on_ping},
        [WIRE_ID_hello] = {on_hello},
        [WIRE_ID_stats] = {on_stats},
};
static const struct peer_ops ops = {.name = "client", .from = WIRE_CLIENT, .handlers = handlers,
        .on_refused = on_refused, .on_closed = on_closed};
static const struct peer_ops shallow = {.name = "client", .from = WIRE_CLIENT, .handlers = handlers, .depth_max = 5,
        .on_refused = on_refused, .on_closed = on_closed};

/* Whatever waits for a condition that never comes is ended by the alarm. */
#define UNTIL(condition)                                                                                     \
        while (!(condition))                                                                                 \
        ev_run(stage.loop.ev, EVRUN_ONCE)

static int setup(void **state)
{
        int pair[2];

        (void)state;
        memset(&stage, 0, sizeof(stage));
        if (fd_pair(pair) < 0 || loop_init(&stage.loop, tick) < 0)
                return -1;
        peer_init(&stage.peer, &stage.loop, pair[0], &ops, FRAME_MAX, OUT_MAX);
        channel_init(&stage.far, pair[1], FRAME_MAX, 0);
        ev_io_init(&stage.ear, on_heard, pair[1], EV_READ);
        ev_io_start(stage.loop.ev, &stage.ear);
        alarm(PATIENCE_S);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        alarm(0);
        ev_io_stop(stage.loop.ev, &stage.ear);
        peer_fini(&stage.peer);
        channel_fini(&stage.far);
        loop_fini(&stage.loop);
        return 0;
}

static void say(const struct wire_message *m, uint64_t seq)
{
        static const struct wire_hello greeting = {.has = 3, .version = 1, .client = {(const uint8_t *)"test", 4}};

        static const uint32_t nothing = 0;
        const void *body = m == WIRE_MESSAGE(hello) ? (const void *)&greeting : &nothing;

        assert_int_equal(channel_send(&stage.far, m, seq, body), 0);
        assert_int_equal(channel_flush(&stage.far), 0);
}

static void say_raw(const char *bytes, size_t n)
{
        uint8_t head[4] = {0, 0, (uint8_t)(n >> 8), (uint8_t)n};

        assert_int_equal(send(stage.far.fd, head, 4, 0), 4);
        assert_int_equal(send(stage.far.fd, bytes, n, 0), (ssize_t)n);
}

#define SAY_RAW(text) say_raw(text, sizeof(text) - 1)

/* Frames that came back so far: pongs, and everything. */
static int hear(void)
{
        struct bytes frame;
        int pongs = 0;

        while (!channel_fill(&stage.far))
                while (!channel_next(&stage.far, &frame)) {
                        struct wire_refusal why;
                        struct wire_head head;

                        assert_int_equal(wire_open(frame, &head, &why), 0);
                        pongs += head.is_reply && head.ok;
                }
        return pongs;
}

static void expect_refusal(enum wire_code code, const char *part, int fatal)
{
        UNTIL(stage.refusals);
        assert_int_equal(stage.refusals, 1);
        assert_int_equal(stage.why.code, code);
        assert_non_null(strstr(stage.why.message, part));
        assert_int_equal(stage.fatal, fatal);
        assert_int_equal(stage.calls, 0);
}

static void test_a_request_is_answered_before_the_loop_sleeps(void **state)
{
        int pongs = 0;

        (void)state;
        say(WIRE_MESSAGE(ping), 1);
        UNTIL((pongs += hear()) == 1);
        assert_int_equal(stage.calls, 1);
}

static void test_unknown_op_is_refused_by_name(void **state)
{
        (void)state;
        SAY_RAW("\x82\xa2op\xa5xyzzy\xa3seq\x07");
        expect_refusal(WIRE_BAD_FRAME, "\"xyzzy\"", 0);
        assert_true(stage.seq == 7);
        assert_false(stage.peer.closed);
}

static void test_op_without_handler_is_unknown(void **state)
{
        (void)state;
        SAY_RAW("\x82\xa2op\xa4stop\xa3seq\x07");
        expect_refusal(WIRE_BAD_FRAME, "unknown op", 0);
}

static void test_op_of_another_kind_of_peer_is_unknown(void **state)
{
        (void)state;
        SAY_RAW("\x82\xa2op\xa4" "beat\xa3seq\x07");
        expect_refusal(WIRE_BAD_FRAME, "unknown op", 0);
}

static void test_before_hello(void **state)
{
        (void)state;
        say(WIRE_MESSAGE(stats), 3);
        expect_refusal(WIRE_BAD_FRAME, "stats before hello", 0);
        say(WIRE_MESSAGE(hello), 4);
        say(WIRE_MESSAGE(stats), 5);
        UNTIL(stage.calls == 2);
        say(WIRE_MESSAGE(hello), 6);
        UNTIL(stage.refusals == 2);
        assert_non_null(strstr(stage.why.message, "hello is not allowed now"));
}

static void test_call_without_seq(void **state)
{
        (void)state;
        SAY_RAW("\x81\xa2op\xa4ping");
        expect_refusal(WIRE_BAD_FRAME, "needs a seq", 0);
}

static void test_reply_of_one_who_may_not_reply(void **state)
{
        (void)state;
        SAY_RAW("\x82\xa2ok\xc3\xa3seq\x01");
        expect_refusal(WIRE_BAD_FRAME, "a reply to nothing", 0);
}

static void test_event_is_fatal(void **state)
{
        (void)state;
        SAY_RAW("\x81\xa5" "event\xa1x");
        expect_refusal(WIRE_BAD_FRAME, "events only come from the supervisor", 1);
}

static void test_garbage_is_fatal(void **state)
{
        (void)state;
        SAY_RAW("\xc1");
        expect_refusal(WIRE_BAD_FRAME, "", 1);
}

static void test_too_large_is_fatal(void **state)
{
        (void)state;
        assert_int_equal(send(stage.far.fd, "\x00\x01\x00\x01", 4, 0), 4);
        expect_refusal(WIRE_TOO_LARGE, "at most 65536 bytes", 1);
}

static void test_nothing_is_handled_after_a_fatal_frame(void **state)
{
        (void)state;
        SAY_RAW("\xc1");
        say(WIRE_MESSAGE(ping), 1);
        UNTIL(stage.fatal);
        ev_run(stage.loop.ev, EVRUN_NOWAIT);
        assert_int_equal(stage.calls, 0);
        assert_int_equal(stage.refusals, 1);
}

static void test_a_peer_may_have_less_depth_than_others(void **state)
{
        (void)state;
        stage.peer.ops = &shallow;
        SAY_RAW("\x83\xa2op\xa4ping\xa3seq\x01\xa1x\x91\x91\x91\x91\x01");
        UNTIL(stage.calls == 1);
        stage.calls = 0;
        SAY_RAW("\x83\xa2op\xa4ping\xa3seq\x01\xa1x\x91\x91\x91\x91\x91\x01");
        expect_refusal(WIRE_BAD_FRAME, "deep", 1);
}

static void test_frames_in_pieces(void **state)
{
        static const char frame[] = "\0\0\0\x0e\x82\xa2op\xa4ping\xa3seq\x01";
        int pongs = 0;

        (void)state;
        for (size_t i = 0; i < sizeof(frame) - 1; i++) {
                assert_int_equal(stage.calls, 0);
                assert_int_equal(send(stage.far.fd, frame + i, 1, 0), 1);
                ev_run(stage.loop.ev, EVRUN_ONCE);
        }
        UNTIL((pongs += hear()) == 1);
}

static void test_one_who_does_not_read_is_not_read_from(void **state)
{
        int pongs = 0;

        (void)state;
        stage.answer_bytes = 2 * 1024 * 1024;
        for (uint64_t seq = 1; seq <= 3; seq++)
                say(WIRE_MESSAGE(ping), seq);
        UNTIL(stage.calls);
        for (int i = 0; i < 10; i++)
                ev_run(stage.loop.ev, EVRUN_NOWAIT);
        assert_true(stage.peer.held);
        assert_int_equal(stage.calls, 1);
        UNTIL((pongs += hear()) == 3);
        assert_false(stage.peer.held);
}

/* It may be stuck in an answer that is long, and will read when that is taken. */
static void test_one_who_is_always_heard_need_not_read(void **state)
{
        struct peer_ops heard = ops;

        (void)state;
        heard.always_heard = true;
        stage.peer.ops = &heard;
        stage.answer_bytes = 2 * 1024 * 1024;
        for (uint64_t seq = 1; seq <= 3; seq++)
                say(WIRE_MESSAGE(ping), seq);
        UNTIL(stage.calls == 3);
        stage.peer.ops = &ops;
}

/* It reads everything between the tick and the flush: what it had asked meanwhile is answered without a further event. */
static void test_answers_to_held_frames_do_not_wait_for_the_next_event(void **state)
{
        int pongs = 0;

        (void)state;
        stage.answer_bytes = 2 * 1024 * 1024;
        for (uint64_t seq = 1; seq <= 3; seq++)
                say(WIRE_MESSAGE(ping), seq);
        UNTIL(stage.calls);
        while (peer_backlog(&stage.peer)) {
                assert_in_range(channel_flush(&stage.peer.channel), 0, CHANNEL_AGAIN);
                pongs += hear();
        }
        loop_mark_dirty(&stage.loop, &stage.peer.flushable);
        stage.ticks = 0;
        ev_run(stage.loop.ev, EVRUN_ONCE);
        ev_run(stage.loop.ev, EVRUN_NOWAIT);
        assert_int_equal(pongs + hear(), 3);
        assert_in_range(stage.ticks, 2, 4);
}

static void test_out_limit_is_told(void **state)
{
        struct wire_refusal why;
        int r = 0;

        (void)state;
        wire_refuse(&why, WIRE_TASK_ERROR, "much");
        for (size_t i = 0; i < OUT_MAX && !r; i += 10)
                r = peer_refuse(&stage.peer, 0, &why, -1);
        assert_int_equal(r, -ENOBUFS);
        assert_in_range(peer_backlog(&stage.peer), OUT_MAX - 100, OUT_MAX);
}

static void test_a_handler_may_close(void **state)
{
        (void)state;
        stage.close_in_call = true;
        say(WIRE_MESSAGE(ping), 1);
        say(WIRE_MESSAGE(ping), 2);
        UNTIL(stage.calls);
        ev_run(stage.loop.ev, EVRUN_NOWAIT);
        assert_int_equal(stage.calls, 1);
        assert_int_equal(stage.refusals, 0);
        assert_int_equal(stage.ends, 0);
        peer_close(&stage.peer);
        assert_int_equal(peer_send(&stage.peer, WIRE_MESSAGE(ping_reply), 1, &(struct wire_ping_reply){0}), 0);
}

static void test_the_other_end_goes(void **state)
{
        (void)state;
        shutdown(stage.far.fd, SHUT_RDWR);
        UNTIL(stage.ends);
        assert_string_equal(stage.reason, "closed by the peer");
        ev_run(stage.loop.ev, EVRUN_NOWAIT);
        assert_int_equal(stage.ends, 1);
}

static void test_an_end_found_by_the_flush_gets_its_tick(void **state)
{
        (void)state;
        ev_io_stop(stage.loop.ev, &stage.peer.reader);
        shutdown(stage.far.fd, SHUT_RDWR);
        assert_int_equal(peer_send(&stage.peer, WIRE_MESSAGE(ping_reply), 1, &(struct wire_ping_reply){0}), 0);
        ev_run(stage.loop.ev, EVRUN_ONCE);
        assert_int_equal(stage.ends, 1);
        stage.ticks = 0;
        ev_run(stage.loop.ev, EVRUN_NOWAIT);
        assert_int_equal(stage.ticks, 1);
}

static void test_given_up_ends_later_and_once(void **state)
{
        (void)state;
        say(WIRE_MESSAGE(ping), 1);
        peer_give_up(&stage.peer, "first reason");
        peer_give_up(&stage.peer, "second reason");
        assert_int_equal(stage.ends, 0);
        assert_int_equal(peer_send(&stage.peer, WIRE_MESSAGE(ping_reply), 1, &(struct wire_ping_reply){0}), 0);
        assert_int_equal(peer_backlog(&stage.peer), 0);
        UNTIL(stage.ends);
        assert_string_equal(stage.reason, "first reason");
        assert_int_equal(stage.calls, 0);
}

static void test_drain_hears_what_is_there(void **state)
{
        (void)state;
        for (uint64_t seq = 1; seq <= 100; seq++)
                say(WIRE_MESSAGE(ping), seq);
        shutdown(stage.far.fd, SHUT_WR);
        peer_drain(&stage.peer);
        assert_int_equal(stage.calls, 100);
        assert_int_equal(stage.ends, 0);
        UNTIL(stage.ends);
}

static atomic_bool enough;

enum { REFUSED = 13 };

static void *flood(void *arg)
{
        static uint8_t frames[64 * 1024];
        static const uint8_t refused[] = "\0\0\0\x09\x81\xa2op\xa4" "beat";

        (void)arg;
        for (size_t i = 0; i + REFUSED <= sizeof(frames); i += REFUSED)
                memcpy(frames + i, refused, REFUSED);
        while (!atomic_load(&enough))
                if (send(stage.far.fd, frames, sizeof(frames) / REFUSED * REFUSED, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
                        break;
        return NULL;
}

/* A worker that talks as fast as we listen must not get all our time. */
static void test_drain_ends_although_the_peer_goes_on(void **state)
{
        pthread_t thread;

        (void)state;
        atomic_store(&enough, false);
        fd_set_nonblock(stage.far.fd, 0);
        assert_int_equal(pthread_create(&thread, NULL, flood, NULL), 0);
        for (int i = 0; i < 5; i++) {
                struct pollfd p = {.fd = stage.peer.channel.fd, .events = POLLIN};

                assert_int_equal(poll(&p, 1, -1), 1);
                peer_drain(&stage.peer);
        }
        atomic_store(&enough, true);
        peer_close(&stage.peer);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_in_range(stage.refusals, 5, 5 * 65 * (64 * 1024 / REFUSED + 1));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
        static const struct CMUnitTest tests[] = {
                T(a_request_is_answered_before_the_loop_sleeps),
                T(unknown_op_is_refused_by_name),
                T(op_without_handler_is_unknown),
                T(op_of_another_kind_of_peer_is_unknown),
                T(before_hello),
                T(call_without_seq),
                T(reply_of_one_who_may_not_reply),
                T(event_is_fatal),
                T(garbage_is_fatal),
                T(too_large_is_fatal),
                T(nothing_is_handled_after_a_fatal_frame),
                T(a_peer_may_have_less_depth_than_others),
                T(frames_in_pieces),
                T(one_who_does_not_read_is_not_read_from),
                T(one_who_is_always_heard_need_not_read),
                T(answers_to_held_frames_do_not_wait_for_the_next_event),
                T(out_limit_is_told),
                T(a_handler_may_close),
                T(the_other_end_goes),
                T(an_end_found_by_the_flush_gets_its_tick),
                T(given_up_ends_later_and_once),
                T(drain_hears_what_is_there),
                T(drain_ends_although_the_peer_goes_on),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
