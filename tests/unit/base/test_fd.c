/* Descriptors: flags as promised, and nothing left open that should be closed; closing is tried in a child. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool is_open(int fd)
{
        return fcntl(fd, F_GETFD) >= 0;
}

static void test_pair(void **state)
{
        int pair[2];
        char c;

        (void)state;
        assert_int_equal(fd_pair(pair), 0);
        for (int i = 0; i < 2; i++) {
                assert_true(fcntl(pair[i], F_GETFD) & FD_CLOEXEC);
                assert_true(fcntl(pair[i], F_GETFL) & O_NONBLOCK);
        }
        assert_int_equal(write(pair[0], "x", 1), 1);
        assert_int_equal(read(pair[1], &c, 1), 1);
        assert_int_equal(read(pair[1], &c, 1), -1);
        close(pair[0]);
        close(pair[1]);
}

static void test_flags(void **state)
{
        int pair[2];

        (void)state;
        assert_int_equal(fd_pair(pair), 0);
        assert_int_equal(fd_set_nonblock(pair[0], 0), 0);
        assert_false(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
        assert_int_equal(fd_set_nonblock(pair[0], 1), 0);
        assert_true(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
        assert_int_equal(fd_keep_on_exec(pair[0]), 0);
        assert_false(fcntl(pair[0], F_GETFD) & FD_CLOEXEC);
        close(pair[0]);
        close(pair[1]);
        assert_true(fd_set_nonblock(pair[0], 1) < 0);
        assert_true(fd_keep_on_exec(pair[0]) < 0);
}

static void test_pipe(void **state)
{
        int from = -1, to = -1;
        char c;

        (void)state;
        assert_int_equal(fd_pipe(&from, &to), 0);
        assert_true(fcntl(from, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(to, F_GETFD) & FD_CLOEXEC);
        assert_true(fcntl(from, F_GETFL) & O_NONBLOCK);
        assert_false(fcntl(to, F_GETFL) & O_NONBLOCK);
        assert_int_equal(read(from, &c, 1), -1);
        assert_int_equal(write(to, "x", 1), 1);
        assert_int_equal(read(from, &c, 1), 1);
        close(to);
        assert_int_equal(read(from, &c, 1), 0);
        close(from);
}

/* No descriptor is free for the second end: the first one does not stay behind. */
static int check_pipe_without_descriptors(void)
{
        struct rlimit limit;
        int lowest = dup(0), from = -1, to = -1;

        close(lowest);
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 1;
        limit.rlim_cur = (rlim_t)lowest + 1;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 2;
        return fd_pipe(&from, &to) != -EMFILE || from != -1 || to != -1 || is_open(lowest);
}

/* Runs in a child, since it closes; 0 = as it should be. */
static int in_child(int (*check)(void))
{
        int status = -1;
        pid_t pid = fork();

        if (!pid)
                _exit(check());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int open_up_to(int last)
{
        for (int fd = 10; fd <= last; fd++)
                if (dup2(0, fd) != fd)
                        return -1;
        return 0;
}

static int check_close_all(void)
{
        if (open_up_to(20) || fd_close_from(10, -1))
                return 1;
        for (int fd = 10; fd <= 20; fd++)
                if (is_open(fd))
                        return 2;
        return is_open(0) ? 0 : 3;
}

static int check_keep(int keep)
{
        if (open_up_to(20) || fd_close_from(10, keep))
                return 1;
        for (int fd = 10; fd <= 20; fd++)
                if (is_open(fd) != (fd == keep))
                        return 2;
        return 0;
}

static int check_keep_middle(void)
{
        return check_keep(15);
}

static int check_keep_first(void)
{
        return check_keep(10);
}

static int check_keep_below(void)
{
        return check_keep(0);
}

static int check_null_stdio(void)
{
        struct stat st;

        if (fd_null_stdio())
                return 1;
        for (int fd = 0; fd < 3; fd++)
                if (fstat(fd, &st) || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
                        return 2;
        return 0;
}

static int check_null_stdio_when_all_are_closed(void)
{
        close(0);
        close(1);
        close(2);
        return check_null_stdio();
}

static void test_pipe_without_descriptors(void **state)
{
        (void)state;
        assert_int_equal(in_child(check_pipe_without_descriptors), 0);
}

static void test_closing(void **state)
{
        (void)state;
        assert_int_equal(in_child(check_close_all), 0);
        assert_int_equal(in_child(check_keep_middle), 0);
        assert_int_equal(in_child(check_keep_first), 0);
        assert_int_equal(in_child(check_keep_below), 0);
}

/* What was open stays what it was; what was closed is taken, and cannot be used by mistake. */
static int check_fill_stdio(void)
{
        struct stat before, after;
        char c;

        if (fstat(STDERR_FILENO, &before) < 0)
                return 1;
        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        if (fd_fill_stdio() < 0 || !is_open(STDIN_FILENO) || !is_open(STDOUT_FILENO))
                return 2;
        if (fstat(STDERR_FILENO, &after) < 0 || before.st_ino != after.st_ino)
                return 3;
        return read(STDIN_FILENO, &c, 1) >= 0 || write(STDOUT_FILENO, "x", 1) >= 0;
}

static void test_fill_stdio(void **state)
{
        (void)state;
        assert_int_equal(in_child(check_fill_stdio), 0);
}

static void test_null_stdio(void **state)
{
        (void)state;
        assert_int_equal(in_child(check_null_stdio), 0);
        assert_int_equal(in_child(check_null_stdio_when_all_are_closed), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pair),
                cmocka_unit_test(test_flags),
                cmocka_unit_test(test_pipe),
                cmocka_unit_test(test_pipe_without_descriptors),
                cmocka_unit_test(test_closing),
                cmocka_unit_test(test_fill_stdio),
                cmocka_unit_test(test_null_stdio),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
