/* Channels over a real socket pair: frames in pieces, frames too large, readers too slow, descriptors nobody asked for. */
#include "wire/channel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { FRAME_MAX = 4096, OUT_MAX = 64 * 1024 };

static struct channel near_end, far_end;

static int setup(void **state)
{
        int pair[2];

        (void)state;
        if (fd_pair(pair) < 0)
                return -1;
        channel_init(&near_end, pair[0], FRAME_MAX, OUT_MAX);
        channel_init(&far_end, pair[1], FRAME_MAX, OUT_MAX);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        channel_fini(&near_end);
        channel_fini(&far_end);
        return 0;
}

static int count_fds(void)
{
        DIR *d = opendir("/proc/self/fd");
        int n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static const struct wire_hello greeting = {.has = 3, .version = 1, .client = {(const uint8_t *)"test", 4}};

static void expect_greeting(struct bytes frame, uint64_t seq)
{
        struct wire_refusal why;
        struct wire_head head;
        struct wire_hello got;

        assert_int_equal(wire_open(frame, &head, &why), 0);
        assert_true(wire_str_is(head.op, "hello"));
        assert_true(head.seq == seq);
        assert_int_equal(wire_decode(WIRE_MESSAGE(hello), frame, &got, &why), 0);
        assert_true(wire_str_is(got.client, "test"));
}

static void send_raw(const void *data, size_t n)
{
        assert_int_equal(send(near_end.fd, data, n, 0), (ssize_t)n);
}

static void test_frames_arrive_in_order(void **state)
{
        struct bytes frame;

        (void)state;
        for (uint64_t seq = 1; seq <= 100; seq++)
                assert_int_equal(channel_send(&near_end, WIRE_MESSAGE(hello), seq, &greeting), 0);
        assert_true(channel_wants_write(&near_end));
        assert_int_equal(channel_flush(&near_end), 0);
        assert_false(channel_wants_write(&near_end));
        assert_int_equal(channel_fill(&far_end), 0);
        for (uint64_t seq = 1; seq <= 100; seq++) {
                assert_int_equal(channel_next(&far_end, &frame), 0);
                expect_greeting(frame, seq);
        }
        assert_int_equal(channel_next(&far_end, &frame), CHANNEL_AGAIN);
        assert_int_equal(channel_fill(&far_end), CHANNEL_AGAIN);
}

/* Two frames, cut in two at every byte: the first piece never yields more than it holds. */
static void test_split_at_every_byte(void **state)
{
        struct buf stream;
        struct bytes frame;

        (void)state;
        buf_init(&stream, 0);
        assert_int_equal(wire_encode(&stream, WIRE_MESSAGE(hello), 1, &greeting), 0);
        assert_int_equal(wire_encode(&stream, WIRE_MESSAGE(hello), 2, &greeting), 0);
        for (size_t at = 1; at < buf_size(&stream); at++) {
                uint64_t seq = 1;

                send_raw(buf_head(&stream), at);
                assert_int_equal(channel_fill(&far_end), 0);
                for (; !channel_next(&far_end, &frame); seq++)
                        expect_greeting(frame, seq);
                assert_int_equal(seq, 1 + (at >= buf_size(&stream) / 2));
                send_raw(buf_head(&stream) + at, buf_size(&stream) - at);
                assert_int_equal(channel_fill(&far_end), 0);
                for (; !channel_next(&far_end, &frame); seq++)
                        expect_greeting(frame, seq);
                assert_int_equal(seq, 3);
        }
        buf_fini(&stream);
}

static void test_byte_by_byte(void **state)
{
        struct buf stream;
        struct bytes frame;

        (void)state;
        buf_init(&stream, 0);
        assert_int_equal(wire_encode(&stream, WIRE_MESSAGE(hello), 7, &greeting), 0);
        for (size_t i = 0; i < buf_size(&stream); i++) {
                assert_int_equal(channel_next(&far_end, &frame), CHANNEL_AGAIN);
                send_raw(buf_head(&stream) + i, 1);
                assert_int_equal(channel_fill(&far_end), 0);
        }
        assert_int_equal(channel_next(&far_end, &frame), 0);
        expect_greeting(frame, 7);
        buf_fini(&stream);
}

static void ignore(int signal)
{
        (void)signal;
}

/* In a child: each byte on its own, and a signal that interrupts the reader before it. */
_Noreturn static void trickle(const struct buf *stream, pid_t reader)
{
        for (size_t i = 0; i < buf_size(stream); i++)
                if (kill(reader, SIGUSR1) || send(near_end.fd, buf_head(stream) + i, 1, 0) != 1)
                        _exit(1);
        _exit(0);
}

static void test_waiting_ends_with_a_whole_frame_or_the_peer(void **state)
{
        struct sigaction action = {.sa_handler = ignore};
        struct buf stream;
        struct bytes frame;
        int status;
        pid_t pid;

        (void)state;
        assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
        buf_init(&stream, 0);
        for (uint64_t seq = 1; seq <= 2; seq++)
                assert_int_equal(wire_encode(&stream, WIRE_MESSAGE(hello), seq, &greeting), 0);
        assert_int_equal(fd_set_nonblock(far_end.fd, 0), 0);
        pid = fork();
        if (!pid)
                trickle(&stream, getppid());
        close(near_end.fd);
        near_end.fd = -1;
        for (uint64_t seq = 1; seq <= 2; seq++) {
                assert_int_equal(channel_wait(&far_end, &frame), 0);
                expect_greeting(frame, seq);
        }
        assert_int_equal(channel_wait(&far_end, &frame), CHANNEL_CLOSED);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        buf_fini(&stream);
}

/* The announced length alone is enough to refuse: no room is made for it. */
static void test_too_large_is_refused_before_allocating(void **state)
{
        struct bytes frame;
        size_t before;

        (void)state;
        send_raw("\xff\xff\xff\xff", 4);
        assert_int_equal(channel_fill(&far_end), 0);
        before = far_end.in.cap;
        assert_int_equal(channel_next(&far_end, &frame), CHANNEL_TOO_LARGE);
        assert_int_equal(far_end.in.cap, before);
        assert_in_range(before, 1, 256 * 1024);
        assert_int_equal(channel_next(&far_end, &frame), CHANNEL_TOO_LARGE);
}

static void test_limit_is_exact(void **state)
{
        static const uint8_t zeros[FRAME_MAX];
        struct bytes frame;

        (void)state;
        send_raw("\x00\x00\x10\x00", 4);
        send_raw(zeros, FRAME_MAX);
        while (channel_fill(&far_end) == 0)
                ;
        assert_int_equal(channel_next(&far_end, &frame), 0);
        assert_int_equal(frame.len, FRAME_MAX);
        send_raw("\x00\x00\x10\x01", 4);
        assert_int_equal(channel_fill(&far_end), 0);
        assert_int_equal(channel_next(&far_end, &frame), CHANNEL_TOO_LARGE);
}

static void test_empty_frame(void **state)
{
        struct wire_refusal why;
        struct wire_head head;
        struct bytes frame;

        (void)state;
        send_raw("\0\0\0\0", 4);
        assert_int_equal(channel_fill(&far_end), 0);
        assert_int_equal(channel_next(&far_end, &frame), 0);
        assert_int_equal(frame.len, 0);
        assert_int_equal(wire_open(frame, &head, &why), 1);
}

static void test_slow_reader_is_bounded(void **state)
{
        size_t sent = 0, got = 0;
        struct bytes frame;
        int r;

        (void)state;
        while ((r = channel_send(&near_end, WIRE_MESSAGE(hello), sent, &greeting)) == 0) {
                sent++;
                assert_in_range(channel_flush(&near_end), 0, CHANNEL_AGAIN);
        }
        assert_int_equal(r, -ENOBUFS);
        assert_in_range(buf_size(&near_end.out), 1, OUT_MAX);
        while (got < sent) {
                assert_in_range(channel_flush(&near_end), 0, CHANNEL_AGAIN);
                assert_int_equal(channel_fill(&far_end), 0);
                while (!channel_next(&far_end, &frame))
                        expect_greeting(frame, got++);
        }
        assert_int_equal(channel_send(&near_end, WIRE_MESSAGE(hello), 0, &greeting), 0);
}

static void test_closed_peer(void **state)
{
        struct bytes frame;

        (void)state;
        assert_int_equal(channel_send(&near_end, WIRE_MESSAGE(hello), 1, &greeting), 0);
        assert_int_equal(channel_flush(&near_end), 0);
        close(near_end.fd);
        near_end.fd = -1;
        assert_int_equal(channel_fill(&far_end), 0);
        assert_int_equal(channel_next(&far_end, &frame), 0);
        assert_int_equal(channel_fill(&far_end), CHANNEL_CLOSED);
        assert_int_equal(channel_send(&far_end, WIRE_MESSAGE(hello), 1, &greeting), 0);
        assert_int_equal(channel_flush(&far_end), CHANNEL_CLOSED);
}

/* ---- descriptors ---- */

static void send_fds(int n)
{
        int fds[FD_PASS_MAX];

        for (int i = 0; i < n; i++)
                fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_int_equal(channel_send_fds(&near_end, WIRE_MESSAGE(hello), 1, &greeting, fds, n), 0);
        for (int i = 0; i < n; i++)
                close(fds[i]);
}

static void test_descriptors_come_along(void **state)
{
        struct bytes frame;
        int fd;

        (void)state;
        far_end.takes_fds = true;
        send_fds(2);
        assert_int_equal(channel_fill(&far_end), 0);
        for (int i = 0; i < 2; i++) {
                fd = channel_take_fd(&far_end);
                assert_true(fd >= 0);
                assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
                close(fd);
        }
        assert_int_equal(channel_take_fd(&far_end), -1);
        while (channel_next(&far_end, &frame) == CHANNEL_AGAIN)
                assert_int_equal(channel_fill(&far_end), 0);
        expect_greeting(frame, 1);
}

static void flood(int messages)
{
        struct bytes frame;
        int got = 0;

        for (int i = 0; i < messages; i++)
                send_fds(FD_PASS_MAX);
        while (got < messages) {
                while (!channel_next(&far_end, &frame))
                        got++;
                if (got < messages)
                        assert_int_equal(channel_fill(&far_end), 0);
        }
}

/* A peer that may not pass descriptors fills no table of ours; one that may keeps FD_PASS_MAX at most. */
static void test_descriptor_flood(void **state)
{
        int before = count_fds();

        (void)state;
        flood(20);
        assert_int_equal(count_fds(), before);
        far_end.takes_fds = true;
        flood(20);
        assert_int_equal(count_fds(), before + FD_PASS_MAX);
}

/* The frame goes with its descriptors or not at all. */
static void test_descriptors_on_a_full_socket(void **state)
{
        uint8_t zeros[1024] = {0};
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        (void)state;
        while (send(near_end.fd, zeros, sizeof(zeros), MSG_DONTWAIT) > 0)
                ;
        assert_int_equal(channel_send_fds(&near_end, WIRE_MESSAGE(hello), 1, &greeting, &fd, 1), -EAGAIN);
        assert_false(channel_wants_write(&near_end));
        close(fd);
}

static void test_fini_closes_what_was_not_taken(void **state)
{
        int before = count_fds();

        (void)state;
        far_end.takes_fds = true;
        send_fds(3);
        assert_int_equal(channel_fill(&far_end), 0);
        assert_int_equal(count_fds(), before + 3);
        channel_fini(&far_end);
        assert_int_equal(count_fds(), before - 1);
}

#define CHANNEL_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CHANNEL_TEST(test_frames_arrive_in_order),
                CHANNEL_TEST(test_split_at_every_byte),
                CHANNEL_TEST(test_byte_by_byte),
                CHANNEL_TEST(test_waiting_ends_with_a_whole_frame_or_the_peer),
                CHANNEL_TEST(test_too_large_is_refused_before_allocating),
                CHANNEL_TEST(test_limit_is_exact),
                CHANNEL_TEST(test_empty_frame),
                CHANNEL_TEST(test_slow_reader_is_bounded),
                CHANNEL_TEST(test_closed_peer),
                CHANNEL_TEST(test_descriptors_come_along),
                CHANNEL_TEST(test_descriptor_flood),
                CHANNEL_TEST(test_descriptors_on_a_full_socket),
                CHANNEL_TEST(test_fini_closes_what_was_not_taken),
        };

        return cmocka_run_group_tests_name("wire/channel", tests, NULL, NULL);
}
