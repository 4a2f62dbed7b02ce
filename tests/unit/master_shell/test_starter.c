/* The starter, asked by a master that is somebody else's: it starts what it was forked with, ends its
 * master's children, and takes any other word for what it is. */
#include "base/fd.h"
#include "base/pidfd.h"
#include "master/starter_link.h"
#include "sandbox/instrument.h"
#include "leave_out.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

/* Any program that waits for a word on its channel will do. */
static struct starter_setup setup = {.programs = {[HELPER_STORE] = "/not/there"}};
static struct starter_link starter;
static int channel[2];

static int begin(void **state)
{
        (void)state;
        return fd_pair(channel) || starter_link_init(&starter, &setup);
}

static int end(void **state)
{
        (void)state;
        starter_link_fini(&starter);
        close(channel[0]);
        close(channel[1]);
        return 0;
}

static int end_of(pid_t pid, int pidfd)
{
        int status;

        assert_int_equal(waitpid(pid, &status, 0), pid);
        close(pidfd);
        return status;
}

static void test_what_it_starts_is_our_child(void **state)
{
        int pidfd;
        pid_t pid = starter_link_start(&starter, HELPER_SPAWNER, channel[1], &pidfd);

        (void)state;
        assert_true(pid > 0);
        assert_int_equal(pidfd_signal(pidfd, pid, SIGKILL), 0);
        assert_int_equal(end_of(pid, pidfd), SIGKILL);
        pid = starter_link_start(&starter, HELPER_STORE, channel[1], &pidfd);
        assert_true(pid > 0);
        assert_int_equal(WEXITSTATUS(end_of(pid, pidfd)), 127);
}

static int ask(struct starter_request request, int passed, struct starter_answer *answer)
{
        int none;

        assert_int_equal(fd_send_record(starter.sock, &request, sizeof(request), passed), 0);
        assert_int_equal(fd_receive_record(starter.sock, answer, sizeof(*answer), &none), 0);
        assert_int_equal(none, -1);
        return answer->result;
}

static void test_words_that_make_no_sense_are_refused(void **state)
{
        struct starter_answer answer;

        (void)state;
        for (int32_t which = -3; which < HELPERS + 3; which++)
                if (which < 0 || which >= HELPERS || which == HELPER_LOADER)
                        assert_int_equal(
                                ask((struct starter_request){1, STARTER_START, which}, channel[1], &answer),
                                -EINVAL);
        assert_int_equal(
                ask((struct starter_request){2, STARTER_START, HELPER_SPAWNER}, -1, &answer), -EINVAL);
        assert_int_equal(
                ask((struct starter_request){3, STARTER_LAYERS + 1, 0}, channel[1], &answer), -EINVAL);
        assert_int_equal(ask((struct starter_request){4, (unsigned int)-1, 0}, -1, &answer), -EINVAL);
        assert_int_equal((int)answer.number, 4);
        assert_true(ask((struct starter_request){5, STARTER_LAYERS, 0}, -1, &answer) > 0);
}

static pid_t fork_idle(void)
{
        pid_t pid = fork();

        while (!pid)
                pause();
        return pid;
}

static void test_it_ends_our_children_and_nobody_else(void **state)
{
        pid_t child, others[] = {getpid(), getppid(), starter.pid, 1, 0, -1, -getpid(), 0x7fffffff};
        int status;

        (void)state;
        /* The starter itself is our child: it may be ended by its word, and is not tried here. */
        for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
                if (others[i] != starter.pid)
                        assert_true(starter_link_kill(&starter, others[i]) < 0);
        child = fork_idle();
        assert_int_equal(starter_link_kill(&starter, child), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, SIGKILL);
        assert_true(starter_link_kill(&starter, child) < 0);
}

/* No such record is ever sent; it ends, and that is all. */
static void test_a_record_of_another_size_ends_it(void **state)
{
        struct starter_request request = {.what = STARTER_LAYERS};
        int pidfd;

        (void)state;
        assert_int_equal(
                send(starter.sock, &request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
        assert_true(starter_link_start(&starter, HELPER_SPAWNER, channel[1], &pidfd) < 0);
        assert_true(starter_link_start(&starter, HELPER_SPAWNER, channel[1], &pidfd) < 0);
}

static void test_more_descriptors_than_one_end_it(void **state)
{
        struct starter_request request = {.what = STARTER_START, .which = HELPER_SPAWNER};
        char control[CMSG_SPACE(3 * sizeof(int))] = {0};
        struct iovec part = {&request, sizeof(request)};
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        int fds[3] = {channel[1], channel[1], channel[1]}, pidfd;

        (void)state;
        *head = (struct cmsghdr){
                .cmsg_len = CMSG_LEN(sizeof(fds)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(head), fds, sizeof(fds));
        assert_int_equal(sendmsg(starter.sock, &message, MSG_NOSIGNAL), sizeof(request));
        assert_true(starter_link_start(&starter, HELPER_SPAWNER, channel[1], &pidfd) < 0);
}

/* What it started for a question that was given up is ended when its answer comes, not taken for another
 * one's. */
static void test_a_late_answer_is_nobody_elses(void **state)
{
        struct starter_request request = {.number = 77, .what = STARTER_START, .which = HELPER_SPAWNER};
        int pidfd, others = 0;
        pid_t pid;

        (void)state;
        assert_int_equal(fd_send_record(starter.sock, &request, sizeof(request), channel[1]), 0);
        pid = starter_link_start(&starter, HELPER_SPAWNER, channel[1], &pidfd);
        assert_true(pid > 0);
        assert_int_equal(pidfd_signal(pidfd, pid, SIGKILL), 0);
        assert_int_equal(end_of(pid, pidfd), SIGKILL);
        while (waitpid(-1, NULL, WNOHANG) > 0)
                others++;
        assert_int_equal(others, 0);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
        static const struct CMUnitTest tests[] = {
                T(what_it_starts_is_our_child),
                T(words_that_make_no_sense_are_refused),
                T(it_ends_our_children_and_nobody_else),
                T(a_record_of_another_size_ends_it),
                T(more_descriptors_than_one_end_it),
                T(a_late_answer_is_nobody_elses),
        };

        setup.programs[HELPER_SPAWNER] = argc > 1 ? argv[1] : "";
        return cmocka_run_group_tests(tests, NULL, NULL);
}
