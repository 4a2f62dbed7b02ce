/* What poppod's own processes give up, tried in children that gave it up. */
#include "sandbox/identity.h"
#include "sandbox/instrument.h"
#include "sandbox/landlock.h"
#include "sandbox/renounce.h"
#include "sandbox/filter.h"
#include "leave_out.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { SOMEBODY = 54321 };

/* In a child: 0 is good, everything else the line at which it was not. */
#define CHECK(condition)                                                                                     \
        do {                                                                                                 \
                if (!(condition))                                                                            \
                        _exit(__LINE__ % 255 + 1);                                                           \
        } while (0)

static int status_of(void (*attempt)(void))
{
        pid_t pid;
        int status;

        fflush(NULL);
        pid = fork();
        if (!pid) {
                attempt();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

static void expect_good(void (*attempt)(void))
{
        int status = status_of(attempt);

        if (!WIFEXITED(status) || WEXITSTATUS(status))
                fail_msg("status 0x%x: the line is %d modulo 255", status, WEXITSTATUS(status) - 1);
}

static bool fails(long result, int with)
{
        return result < 0 && errno == with;
}

/* ---- filters ---- */

/* Else whatever the spawner starts could not do what its own table says. */
static void test_nothing_that_workers_may_do_is_refused_to_who_starts_them(void **state)
{
        size_t n, seen = 0;
        const int *calls = renounce_calls(RENOUNCE_STARTERS, &n);

        (void)state;
        assert_true(n > 20);
        for (size_t i = 0; i < n; i++)
                for (size_t k = 0; k < filter_n_rules; k++) {
                        if (filter_rules[k].number != calls[i] || calls[i] < 0)
                                continue;
                        seen++;
                        for (int p = 0; p < 2 * PROFILES; p++)
                                if (filter_answer(&filter_rules[k], (enum profile)(p / 2), p % 2) <
                                        FILTER_REFUSE)
                                        fail_msg("%s is allowed in profile %d", filter_rules[k].name, p / 2);
                }
        assert_true(seen > 5);
}

static void be_a_starter(void)
{
        struct layers l = {.n = 0};
        int status;
        pid_t pid;

        renounce_rights(&l, renounce_jailers_capabilities);
        renounce_filter(&l, RENOUNCE_STARTERS);
        CHECK(l.n == 5 && l.list[4].state == LAYER_ENFORCED && !strcmp(l.list[4].name, "seccomp"));
        CHECK(fails(syscall(SYS_bpf, 0, NULL, 0), ENOSYS));
        CHECK(fails(syscall(SYS_ptrace, 0, 0, 0, 0), ENOSYS));
        CHECK(fails(syscall(SYS_init_module, NULL, 0, ""), ENOSYS));
        CHECK(fails(syscall(SYS_io_uring_setup, 1, NULL), ENOSYS));
        CHECK(fails(syscall(0x40000000 | SYS_getpid), ENOSYS)); /* the entry of x32 */
        CHECK((pid = fork()) >= 0);
        if (!pid) {
                execl("/bin/true", "true", (char *)NULL);
                _exit(1);
        }
        CHECK(waitpid(pid, &status, 0) == pid && !status);
        CHECK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0);
}

static void be_the_store(void)
{
        struct layers l = {.n = 0};
        char text[256];

        renounce_rights(&l, 0);
        renounce_filter(&l, RENOUNCE_STORE);
        layers_text(&l, text, sizeof(text));
        CHECK(strstr(
                text, "capabilities enforced, notDumpable enforced, noNewPrivs enforced, seccomp enforced"));
        CHECK(!identity_capabilities());
        CHECK(fails(syscall(SYS_fork), EPERM) && fails(syscall(SYS_execve, "/bin/true", NULL, NULL), EPERM));
        CHECK(fails(socket(AF_UNIX, SOCK_STREAM, 0), EPERM) && fails(kill(getppid(), 0), EPERM));
        CHECK(fails(syscall(SYS_pidfd_open, getppid(), 0), EPERM));
        CHECK(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
}

static void test_what_is_renounced_is_refused(void **state)
{
        (void)state;
        if (instrumented())
                return leave_out("sanitizers and valgrind need what the filters refuse");
        expect_good(be_a_starter);
        expect_good(be_the_store);
}

static void become_a_worker(void)
{
        struct layers l = {.n = 0};
        struct filter f;

        renounce_rights(&l, renounce_jailers_capabilities);
        CHECK(!filter_build(&f, PROFILE_JS, false));
        renounce_filter(&l, RENOUNCE_STARTERS);
        CHECK(!filter_load(&f));
}

static void look_into_others(void)
{
        become_a_worker();
        syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
}

static void enter_by_another_door(void)
{
        become_a_worker();
        /* Of x32. Elsewhere there is no such number at all. */
        syscall(0x40000000 + SYS_getpid);
}

/* Its own filter ends it, and so it is told by which call. */
static void test_what_ends_a_worker_still_does(void **state)
{
        (void)state;
        if (instrumented())
                return leave_out("sanitizers and valgrind need what the filters refuse");
        assert_int_equal(WTERMSIG(status_of(look_into_others)), SIGSYS);
        assert_int_equal(WTERMSIG(status_of(enter_by_another_door)), SIGSYS);
}

/* ---- users ---- */

static void become_somebody(void)
{
        const struct identity who = {SOMEBODY, SOMEBODY + 1};
        const gid_t groups[] = {0, 4};
        uid_t u[3];

        CHECK(!setgroups(2, groups));
        CHECK(!identity_assume(&who, IDENTITY_CAPABILITY(CAP_KILL)));
        CHECK(!getresuid(&u[0], &u[1], &u[2]) && u[0] == SOMEBODY && u[1] == SOMEBODY && u[2] == SOMEBODY);
        CHECK(getgid() == SOMEBODY + 1 && getegid() == SOMEBODY + 1 && !getgroups(0, NULL));
        CHECK(identity_capabilities() == IDENTITY_CAPABILITY(CAP_KILL));
        CHECK(setuid(0) < 0 && seteuid(0) < 0 && setgid(0) < 0 && setgroups(2, groups) < 0);
        CHECK(open("/etc/shadow", O_RDONLY | O_CLOEXEC) < 0);
        CHECK(!kill(getppid(), 0));
        CHECK(!identity_reduce(0) && fails(kill(getppid(), 0), EPERM));
}

static void test_who_became_a_user_stays_that(void **state)
{
        (void)state;
        if (geteuid())
                return leave_out("only root can become somebody else");
        expect_good(become_somebody);
}

static void become_nobody_known(void)
{
        const struct identity root = {0, 0};

        CHECK(identity_assume(&root, 0) < 0);
}

static void test_who_is_not_root_becomes_nobody_else(void **state)
{
        (void)state;
        if (!geteuid())
                return leave_out("root can");
        expect_good(become_nobody_known);
}

static void test_users_are_found_by_name_and_number(void **state)
{
        struct identity who;

        (void)state;
        assert_int_equal(identity_find("root", &who), 0);
        assert_true(!who.uid && !who.gid);
        assert_int_equal(identity_find("0", &who), 0);
        assert_int_equal(identity_find("54321", &who), 0);
        assert_true(who.uid == SOMEBODY && who.gid == SOMEBODY);
        for (const char *const *bad =
                        (const char *const[]){"", "no such", "4294967295", "99999999999", "-1", "1x", NULL};
                *bad; bad++)
                assert_true(identity_find(*bad, &who) > 0);
}

/* ---- files ---- */

static char dir[64];

static int open_in(const char *name, int flags)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        return open(path, flags | O_CLOEXEC, 0600);
}

static int remove_in(const char *name)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        return unlink(path);
}

static void grant_only(const char *name, unsigned int rights)
{
        struct landlock_grant grant = {open_in(name, O_PATH), rights};

        CHECK(grant.fd >= 0 && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !landlock_grant_only(&grant, 1));
        CHECK(fails(open("/dev/null", O_RDONLY | O_CLOEXEC), EACCES));
}

static void only_read(void)
{
        grant_only("a", LANDLOCK_READ);
        CHECK(open_in("a/file", O_RDONLY) >= 0);
        CHECK(fails(open_in("a/file", O_WRONLY), EACCES) &&
                fails(open_in("a/new", O_WRONLY | O_CREAT), EACCES));
        CHECK(fails(remove_in("a/file"), EACCES) && fails(open_in("b/file", O_RDONLY), EACCES));
}

static void only_write(void)
{
        grant_only("a", LANDLOCK_WRITE);
        CHECK(open_in("a/new", O_WRONLY | O_CREAT | O_APPEND) >= 0 &&
                open_in("a/file", O_WRONLY | O_TRUNC) >= 0);
        CHECK(fails(open_in("a/file", O_RDONLY), EACCES) && fails(remove_in("a/new"), EACCES));
}

static void only_remove(void)
{
        grant_only("a", LANDLOCK_REMOVE);
        CHECK(!remove_in("a/new") && fails(remove_in("b/file"), EACCES) &&
                fails(open_in("a/file", O_RDONLY), EACCES));
}

static void only_one_file(void)
{
        grant_only("a/file", LANDLOCK_WRITE | LANDLOCK_READ | LANDLOCK_REMOVE);
        CHECK(open_in("a/file", O_RDWR) >= 0 && fails(open_in("a/other", O_RDONLY | O_CREAT), EACCES));
}

static void test_grants_are_what_their_names_say(void **state)
{
        static const char *const names[] = {"a", "b"};
        char path[128];

        (void)state;
        if (instrumented())
                return leave_out("sanitizers and valgrind open files of their own");
        strcpy(dir, "/tmp/poppo-renounce-XXXXXX");
        assert_non_null(mkdtemp(dir));
        for (int i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
                assert_int_equal(mkdir(path, 0700), 0);
                strcat(path, "/file");
                close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        }
        expect_good(only_read);
        expect_good(only_write);
        expect_good(only_remove);
        expect_good(only_one_file);
        for (const char *const *name = (const char *const[]){"a/file", "b/file", NULL}; *name; name++)
                assert_int_equal(remove_in(*name), 0);
        for (int i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
                assert_int_equal(rmdir(path), 0);
        }
        assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test(test_##name)
        static const struct CMUnitTest tests[] = {
                T(nothing_that_workers_may_do_is_refused_to_who_starts_them),
                T(what_is_renounced_is_refused),
                T(what_ends_a_worker_still_does),
                T(who_became_a_user_stays_that),
                T(who_is_not_root_becomes_nobody_else),
                T(users_are_found_by_name_and_number),
                T(grants_are_what_their_names_say),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
