/* What a master that is somebody else's has left: tried in a child that confined itself as the master does.
 */
#include "base/pidfd.h"
#include "master/confine.h"
#include "sandbox/instrument.h"
#include "leave_out.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { SOMEBODY = 54321 };

static const struct identity somebody = {SOMEBODY, SOMEBODY};
static struct config config;
static char dir[64], config_path[128], socket_path[128], log_path[128];

#define CHECK(condition)                                                                                     \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        _exit(__LINE__ % 255 + 1);                                                           \
        } while (0)

static bool fails(long result, int with)
{
        return result < 0 && errno == with;
}

static void confine_as_the_master(void)
{
        const struct confinement c = {.user = geteuid() ? NULL : &somebody,
                .config_path = config_path,
                .socket_path = socket_path,
                .config = &config};
        struct layers l = {.n = 0};

        CHECK(!confine(&c, &l) && l.n == 6);
        for (size_t i = 0; i < l.n; i++)
                CHECK(l.list[i].state == LAYER_ENFORCED || !strcmp(l.list[i].name, "capabilities"));
}

static int status_of(pid_t *victim, void (*attempt)(pid_t victim, int pidfd))
{
        int status, pidfd;
        pid_t pid;

        fflush(NULL);
        *victim = fork();
        if (!*victim)
                for (;;)
                        pause();
        pidfd = (int)syscall(SYS_pidfd_open, *victim, 0);
        assert_true(pidfd >= 0);
        pid = fork();
        if (!pid) {
                confine_as_the_master();
                attempt(*victim, pidfd);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        close(pidfd);
        return status;
}

static void expect_good(void (*attempt)(pid_t victim, int pidfd))
{
        pid_t victim;
        int status = status_of(&victim, attempt), death;

        kill(victim, SIGTERM);
        assert_int_equal(waitpid(victim, &death, 0), victim);
        if (!WIFEXITED(status) || WEXITSTATUS(status))
                fail_msg("status 0x%x: the line is %d modulo 255", status, WEXITSTATUS(status) - 1);
}

static void start_something(pid_t victim, int pidfd)
{
        (void)victim;
        (void)pidfd;
        CHECK(fails(syscall(SYS_execve, "/bin/true", NULL, NULL), ENOSYS));
        CHECK(fails(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), ENOSYS) && fails(syscall(SYS_vfork), ENOSYS));
        CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
        CHECK(fails(syscall(SYS_memfd_create, "x", 0), ENOSYS));
}

static void connect_somewhere(pid_t victim, int pidfd)
{
        int pair[2];

        (void)victim;
        (void)pidfd;
        CHECK(fails(socket(AF_UNIX, SOCK_STREAM, 0), ENOSYS) &&
                fails(socket(AF_INET, SOCK_STREAM, 0), ENOSYS));
        CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
        CHECK(fails(connect(pair[0], NULL, 0), ENOSYS) && fails(bind(pair[0], NULL, 0), ENOSYS));
        CHECK(fails(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), ENOSYS));
}

static void become_somebody_else(pid_t victim, int pidfd)
{
        const struct rlimit none = {0, 0};

        (void)pidfd;
        CHECK(setuid(0) < 0 && setgid(0) < 0 && syscall(SYS_setgroups, 0, NULL) < 0);
        CHECK(fails(syscall(SYS_capset, NULL, NULL), ENOSYS) &&
                fails(syscall(SYS_unshare, 0x10000000), ENOSYS));
        CHECK(fails(syscall(SYS_mount, "", "/", NULL, 0, NULL), ENOSYS));
        CHECK(fails(prlimit(victim, RLIMIT_CPU, &none, NULL), ENOSYS));
}

/* Root becomes another user, whom only CAP_KILL lets end root's process; and only this one, by its
 * descriptor. */
static void signal_others(pid_t victim, int pidfd)
{
        CHECK(fails(kill(victim, SIGKILL), ENOSYS) && fails(kill(-1, 0), ENOSYS));
        CHECK(fails(syscall(SYS_tgkill, victim, victim, SIGKILL), ENOSYS));
        CHECK(fails(syscall(SYS_pidfd_open, victim, 0), ENOSYS) &&
                fails(syscall(SYS_pidfd_getfd, pidfd, 0, 0), ENOSYS));
        CHECK(fails(syscall(SYS_ptrace, 16, victim, 0, 0), ENOSYS));
        /* A directory of /proc would do as a pidfd. */
        CHECK(fails(open("/proc/1", O_RDONLY | O_DIRECTORY), EACCES));
        CHECK(!pidfd_signal(pidfd, victim, 0) && !pidfd_queue(pidfd, victim, SIGTERM, 1));
}

static void open_files(pid_t victim, int pidfd)
{
        char path[160];

        (void)victim;
        (void)pidfd;
        CHECK(open(config_path, O_RDONLY) >= 0 && fails(open(config_path, O_WRONLY), EACCES));
        CHECK(open("/dev/null", O_RDONLY) >= 0);
        snprintf(path, sizeof(path), "%s.1", log_path);
        CHECK(open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0640) >= 0 &&
                open(path, O_WRONLY | O_CREAT, 0640) >= 0);
        CHECK(fails(open(log_path, O_RDONLY), EACCES) && fails(unlink(log_path), EACCES));
        CHECK(!unlink(socket_path));
        CHECK(fails(open("/etc/passwd", O_RDONLY), EACCES) && fails(open("/proc/self/mem", O_RDWR), EACCES));
        CHECK(fails(syscall(SYS_mkdirat, AT_FDCWD, dir, 0700), ENOSYS) &&
                fails(syscall(SYS_rename, log_path, dir), ENOSYS));
        CHECK(fails(syscall(SYS_linkat, AT_FDCWD, log_path, AT_FDCWD, dir, 0), ENOSYS));
}

static void make_place(const char *name, char *path, size_t size)
{
        char place[96];

        snprintf(place, sizeof(place), "%s/%s", dir, name);
        assert_int_equal(mkdir(place, 0777), 0);
        assert_int_equal(chmod(place, 0777), 0);
        snprintf(path, size, "%s/file", place);
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
        assert_int_equal(chmod(path, 0666), 0);
}

static int make_places(void **state)
{
        (void)state;
        strcpy(dir, "/tmp/poppo-confine-XXXXXX");
        if (!mkdtemp(dir) || chmod(dir, 0755))
                return -1;
        make_place("config", config_path, sizeof(config_path));
        make_place("socket", socket_path, sizeof(socket_path));
        make_place("log", log_path, sizeof(log_path));
        if (config_defaults(&config))
                return -1;
        free(config.logging.file);
        config.logging.file = strdup(log_path);
        return 0;
}

static int remove_places(void **state)
{
        const char *const paths[] = {config_path, socket_path, log_path};
        char path[160];

        (void)state;
        snprintf(path, sizeof(path), "%s.1", log_path);
        unlink(path);
        for (size_t i = 0; i < 3; i++) {
                unlink(paths[i]);
                snprintf(path, sizeof(path), "%s", paths[i]);
                *strrchr(path, '/') = 0;
                assert_int_equal(rmdir(path), 0);
        }
        config_fini(&config);
        return rmdir(dir);
}

#define CASE(name, attempt)                                                                                  \
        static void test_##name(void **state)                                                                \
        {                                                                                                    \
                (void)state;                                                                                 \
                if (instrumented())                                                                          \
                        return leave_out("sanitizers and valgrind need what the master gives up");           \
                expect_good(attempt);                                                                        \
        }
CASE(it_starts_nothing, start_something)
CASE(it_opens_no_connection, connect_somewhere)
CASE(it_becomes_nobody_else, become_somebody_else)
CASE(it_signals_only_whom_it_has_a_descriptor_of, signal_others)
CASE(it_opens_only_what_it_was_told_of, open_files)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_it_starts_nothing),
                cmocka_unit_test(test_it_opens_no_connection),
                cmocka_unit_test(test_it_becomes_nobody_else),
                cmocka_unit_test(test_it_signals_only_whom_it_has_a_descriptor_of),
                cmocka_unit_test(test_it_opens_only_what_it_was_told_of),
        };

        return cmocka_run_group_tests(tests, make_places, remove_places);
}
