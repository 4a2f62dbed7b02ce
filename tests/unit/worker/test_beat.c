/* Heartbeats that a signal sends, while frames of all sizes are written. */
#include "wire/channel.h"
#include "worker/beat.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { FRAMES = 1000, LARGEST = 400 * 1024, TICK_US = 200 };

static void on_tick(int sig)
{
        (void)sig;
        beat_send();
}

static void start_ticking(void)
{
        const struct itimerval timer = {{0, TICK_US}, {0, TICK_US}};

        signal(SIGALRM, on_tick);
        setitimer(ITIMER_REAL, &timer, NULL);
}

static size_t size_of(unsigned int i)
{
        return 1 + i * 7919u % LARGEST;
}

static void write_frames(int fd)
{
        static uint8_t data[LARGEST];
        struct channel channel;

        memset(data, 'x', sizeof(data));
        channel_init(&channel, fd, CHANNEL_FRAME_MAX, 0);
        if (beat_open(fd))
                _exit(1);
        start_ticking();
        for (unsigned int i = 0; i < FRAMES; i++) {
                struct wire_worker_output body = {0};
                int r;

                WIRE_SET(&body, worker_output, run, i);
                WIRE_SET(&body, worker_output, stream, 0);
                WIRE_SET(&body, worker_output, at, 0);
                WIRE_SET(&body, worker_output, data, (struct bytes){data, size_of(i)});
                beat_hold();
                if (channel_send(&channel, WIRE_MESSAGE(worker_output), 0, &body))
                        _exit(2);
                while ((r = channel_flush(&channel)) == CHANNEL_AGAIN)
                        ;
                beat_release();
                if (r)
                        _exit(3);
        }
        _exit(0);
}

/* Whether it was a beat; else it must be the next frame. */
static bool is_beat(struct bytes frame, unsigned int next)
{
        struct wire_worker_output body;
        struct wire_refusal why;
        struct wire_head head;

        assert_int_equal(wire_open(frame, &head, &why), 0);
        if (wire_str_is(head.op, "beat"))
                return true;
        assert_int_equal(wire_decode(WIRE_MESSAGE(worker_output), frame, &body, &why), 0);
        assert_int_equal(body.run, next);
        assert_int_equal(body.data.len, size_of(next));
        return false;
}

static void no_beat_gets_into_a_frame(void **state)
{
        unsigned int frames = 0, beats = 0;
        struct channel channel;
        struct bytes frame;
        int pair[2], status;
        pid_t pid;

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (!pid)
                write_frames(pair[1]);
        close(pair[1]);
        channel_init(&channel, pair[0], CHANNEL_FRAME_MAX, 0);
        while (channel_fill(&channel) != CHANNEL_CLOSED)
                while (!channel_next(&channel, &frame)) {
                        bool beat = is_beat(frame, frames);

                        beats += beat;
                        frames += !beat;
                }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(frames, FRAMES);
        assert_true(beats > 20);
        channel_fini(&channel);
}

static size_t waiting(int fd)
{
        char bytes[256];
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        return n > 0 ? (size_t)n : 0;
}

static void a_beat_that_was_put_off_is_made_up_for_once(void **state)
{
        size_t one;
        int pair[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        assert_int_equal(beat_open(pair[1]), 0);
        beat_send();
        one = waiting(pair[0]);
        assert_true(one > 0);
        beat_hold();
        assert_true(beat_is_held());
        beat_send();
        beat_send();
        assert_int_equal(waiting(pair[0]), 0);
        beat_release();
        assert_int_equal(waiting(pair[0]), one);
        beat_hold();
        beat_release();
        assert_int_equal(waiting(pair[0]), 0);
        close(pair[0]);
        close(pair[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(no_beat_gets_into_a_frame),
                cmocka_unit_test(a_beat_that_was_put_off_is_made_up_for_once),
        };

        return cmocka_run_group_tests_name("beat", tests, NULL, NULL);
}
