/* The socket that clients find, the lock beside it, and the word to the service manager. */
#include "master/listener.h"

#include "master/lock.h"
#include "master/notify.h"
#include "wire/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

enum { PATIENCE_S = 20 };

static struct {
        char dir[32], path[64], lock[80];
        struct loop loop;
        struct listener listener;
        struct ucred who;
        int accepted, last_fd;
} stage;

static const struct listener_rules anyone = {.mode = 0600};

static void tick(struct loop *l)
{
        (void)l;
}

static void on_accept(struct listener *l, int fd, const struct ucred *who)
{
        (void)l;
        stage.accepted++;
        stage.who = *who;
        close(stage.last_fd);
        stage.last_fd = fd;
}

static int setup(void **state)
{
        (void)state;
        memset(&stage, 0, sizeof(stage));
        stage.last_fd = -1;
        strcpy(stage.dir, "/tmp/poppo-listen-XXXXXX");
        if (!mkdtemp(stage.dir) || loop_init(&stage.loop, tick) < 0)
                return -1;
        snprintf(stage.path, sizeof(stage.path), "%s/socket", stage.dir);
        snprintf(stage.lock, sizeof(stage.lock), "%s.lock", stage.path);
        alarm(PATIENCE_S);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        alarm(0);
        listener_close(&stage.listener);
        loop_fini(&stage.loop);
        if (stage.last_fd >= 0)
                close(stage.last_fd);
        unlink(stage.path);
        unlink(stage.lock);
        return rmdir(stage.dir);
}

static int listen_with(const struct listener_rules *rules)
{
        pid_t owner;

        return listener_init(&stage.listener, &stage.loop, stage.path, rules, on_accept, &owner);
}

static struct sockaddr_un address(void)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};

        strcpy(addr.sun_path, stage.path);
        return addr;
}

static int connect_once(void)
{
        struct sockaddr_un addr = address();
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
        return fd;
}

static void test_mode_is_exact_whatever_the_umask(void **state)
{
        struct listener_rules rules = {.mode = 0666};
        mode_t before = umask(0077);
        struct stat st;

        (void)state;
        assert_int_equal(listen_with(&rules), 0);
        umask(before);
        assert_int_equal(stat(stage.path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0666);
}

static void test_the_peer_is_known(void **state)
{
        int fd;

        (void)state;
        assert_int_equal(listen_with(&anyone), 0);
        fd = connect_once();
        while (!stage.accepted)
                ev_run(stage.loop.ev, EVRUN_ONCE);
        assert_int_equal(stage.who.pid, getpid());
        assert_int_equal(stage.who.uid, geteuid());
        assert_true(fcntl(stage.last_fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(stage.last_fd, F_GETFD) & FD_CLOEXEC);
        close(fd);
}

static void test_a_stale_socket_is_replaced(void **state)
{
        struct sockaddr_un addr = address();
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        (void)state;
        assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
        close(fd);
        assert_int_equal(listen_with(&anyone), 0);
        close(connect_once());
}

static void test_a_file_that_is_no_socket_stays(void **state)
{
        int fd = open(stage.path, O_CREAT | O_WRONLY, 0600);
        struct stat st;

        (void)state;
        close(fd);
        assert_int_equal(listen_with(&anyone), -EEXIST);
        listener_close(&stage.listener);
        assert_int_equal(stat(stage.path, &st), 0);
        assert_true(S_ISREG(st.st_mode));
}

static void test_a_second_one_learns_the_first_ones_pid(void **state)
{
        struct listener second;
        struct stat st;
        pid_t owner = 0;

        (void)state;
        assert_int_equal(listen_with(&anyone), 0);
        assert_int_equal(listener_init(&second, &stage.loop, stage.path, &anyone, on_accept, &owner), LOCK_TAKEN);
        assert_int_equal(owner, getpid());
        listener_close(&second);
        assert_int_equal(stat(stage.path, &st), 0);
        close(connect_once());
}

static void test_closing_removes_the_socket(void **state)
{
        (void)state;
        assert_int_equal(listen_with(&anyone), 0);
        listener_close(&stage.listener);
        assert_int_equal(access(stage.path, F_OK), -1);
        listener_close(&stage.listener);
        assert_int_equal(listen_with(&anyone), 0);
}

static void test_a_path_too_long_is_refused(void **state)
{
        char path[200];
        pid_t owner;

        (void)state;
        snprintf(path, sizeof(path), "%s%0120d", stage.path, 0);
        assert_int_equal(listener_init(&stage.listener, &stage.loop, path, &anyone, on_accept, &owner), -ENAMETOOLONG);
        listener_close(&stage.listener);
        snprintf(path, sizeof(path), "%s%0120d.lock", stage.path, 0);
        unlink(path);
}

static void test_out_of_descriptors_sheds_and_recovers(void **state)
{
        struct rlimit limit, tight;
        int held, shed;
        char c;

        (void)state;
        assert_int_equal(listen_with(&anyone), 0);
        ev_run(stage.loop.ev, EVRUN_NOWAIT);
        held = connect_once();
        shed = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        tight = (struct rlimit){.rlim_cur = (rlim_t)shed + 1, .rlim_max = limit.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
        ev_run(stage.loop.ev, EVRUN_ONCE);
        assert_int_equal(stage.accepted, 0);
        assert_int_equal(recv(held, &c, 1, 0), 0);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        close(held);
        close(shed);
        held = connect_once();
        while (!stage.accepted)
                ev_run(stage.loop.ev, EVRUN_ONCE);
        close(held);
}

static void test_rules(void **state)
{
        const int64_t me = geteuid(), mine = getegid(), other = 4242;
        const struct ucred stranger = {.uid = 4243, .gid = 4244}, friend = {.uid = 4242, .gid = 1},
                           fellow = {.uid = 4243, .gid = 4242}, self = {.uid = (uid_t)me, .gid = (gid_t)mine};
        const struct listener_rules by_uid = {.uids = &other, .n_uids = 1}, by_gid = {.gids = &other, .n_gids = 1};

        (void)state;
        assert_true(listener_allows(&anyone, -1, &stranger));
        assert_false(listener_allows(&by_uid, -1, &stranger));
        assert_true(listener_allows(&by_uid, -1, &friend));
        assert_false(listener_allows(&by_uid, -1, &fellow));
        assert_true(listener_allows(&by_gid, -1, &fellow));
        assert_false(listener_allows(&by_gid, -1, &stranger));
        assert_true(listener_allows(&by_gid, -1, &self));
}

/* Needs another uid to come from, which only root can take. */
static void test_who_may_not_speak_is_told_so(void **state)
{
        const int64_t other = 4242;
        const struct listener_rules rules = {.mode = 0666, .uids = &other, .n_uids = 1};
        struct wire_refusal why;
        struct wire_head head;
        struct channel ch;
        struct bytes frame;

        (void)state;
        if (geteuid())
                skip();
        assert_int_equal(listen_with(&rules), 0);
        assert_int_equal(chmod(stage.dir, 0755), 0);
        assert_int_equal(seteuid(4243), 0);
        channel_init(&ch, connect_once(), 4096, 0);
        assert_int_equal(seteuid(0), 0);
        ev_run(stage.loop.ev, EVRUN_ONCE);
        assert_int_equal(stage.accepted, 0);
        assert_int_equal(channel_fill(&ch), 0);
        assert_int_equal(channel_next(&ch, &frame), 0);
        assert_int_equal(wire_open(frame, &head, &why), 0);
        assert_true(head.is_reply && !head.ok);
        assert_non_null(memmem(frame.data, frame.len, "PERMISSION", 10));
        assert_int_equal(channel_fill(&ch), CHANNEL_CLOSED);
        channel_fini(&ch);
}

/* ---- the lock ---- */

static void test_the_lock_of_a_dead_process_is_free(void **state)
{
        pid_t child = fork(), owner;
        int fd = -1, status;

        (void)state;
        if (!child)
                _exit(lock_take(stage.lock, &fd, &owner));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        assert_int_equal(lock_take(stage.lock, &fd, &owner), 0);
        close(fd);
}

static void test_a_lock_behind_a_symlink_is_not_taken(void **state)
{
        char target[80];
        pid_t owner;
        int fd;

        (void)state;
        snprintf(target, sizeof(target), "%s/target", stage.dir);
        assert_int_equal(symlink(target, stage.lock), 0);
        assert_int_equal(lock_take(stage.lock, &fd, &owner), -ELOOP);
        assert_int_equal(access(target, F_OK), -1);
}

/* ---- the service manager ---- */

static void expect_notice(const struct sockaddr_un *addr, socklen_t len, const char *env)
{
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), notices;
        char text[64] = {0};

        assert_int_equal(bind(fd, (const struct sockaddr *)addr, len), 0);
        setenv("NOTIFY_SOCKET", env, 1);
        assert_int_equal(notify_open(&notices), 0);
        assert_int_equal(notify_service(notices, "READY=1"), 0);
        assert_int_equal(recv(fd, text, sizeof(text) - 1, 0), 7);
        assert_string_equal(text, "READY=1");
        close(fd);
        assert_int_equal(notify_service(notices, "STOPPING=1"), -ECONNREFUSED);
        close(notices);
}

static void test_the_service_manager_is_told(void **state)
{
        struct sockaddr_un addr = address(), hidden = {.sun_family = AF_UNIX};
        char env[64];
        int none;

        (void)state;
        unsetenv("NOTIFY_SOCKET");
        assert_int_equal(notify_open(&none), 0);
        assert_int_equal(none, -1);
        assert_int_equal(notify_service(none, "READY=1"), 0);
        expect_notice(&addr, sizeof(addr), stage.path);
        snprintf(env, sizeof(env), "@poppo-test-%d", getpid());
        strcpy(hidden.sun_path + 1, env + 1);
        expect_notice(&hidden, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(env)), env);
        assert_int_equal(notify_open(&none), -ECONNREFUSED);
        setenv("NOTIFY_SOCKET", "relative", 1);
        assert_int_equal(notify_open(&none), -EINVAL);
        unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
        static const struct CMUnitTest tests[] = {
                T(mode_is_exact_whatever_the_umask),
                T(the_peer_is_known),
                T(a_stale_socket_is_replaced),
                T(a_file_that_is_no_socket_stays),
                T(a_second_one_learns_the_first_ones_pid),
                T(closing_removes_the_socket),
                T(a_path_too_long_is_refused),
                T(out_of_descriptors_sheds_and_recovers),
                T(rules),
                T(who_may_not_speak_is_told_so),
                T(the_lock_of_a_dead_process_is_free),
                T(a_lock_behind_a_symlink_is_not_taken),
                T(the_service_manager_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
