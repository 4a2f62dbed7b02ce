/* Which files may be run as code: ways that only root and this user could have laid. */
#include "leave_out.h"
#include "sandbox/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { SOMEBODY = 12345 };

static char base[64]; /* a directory of our own in /tmp */

static const char *path_of(const char *name)
{
        static char paths[4][256];
        static unsigned int next;
        char *path = paths[next++ % 4];

        snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
        return path;
}

static void put_file(const char *name, mode_t mode)
{
        int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, name, strlen(name)), strlen(name));
        assert_int_equal(fchmod(fd, mode), 0);
        close(fd);
}

static void put_dir(const char *name, mode_t mode)
{
        assert_int_equal(mkdir(path_of(name), 0700), 0);
        assert_int_equal(chmod(path_of(name), mode), 0);
}

static void put_link(const char *target, const char *name)
{
        assert_int_equal(symlink(target, path_of(name)), 0);
}

static int set_up(void **state)
{
        (void)state;
        strcpy(base, "/tmp/poppo-trusted-XXXXXX");
        return mkdtemp(base) ? 0 : -1;
}

static int tear_down(void **state)
{
        char command[128];

        (void)state;
        snprintf(command, sizeof(command), "rm -rf %s", base);
        return system(command);
}

static void assert_trusted(const char *path, const char *content)
{
        char fault[TRUSTED_FAULT], text[64] = "";
        int fd = trusted_open(path, false, fault);

        if (fd < 0)
                fail_msg("%s: %s", path, fault);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        assert_true(read(fd, text, sizeof(text) - 1) >= 0);
        assert_string_equal(text, content);
        close(fd);
}

static void assert_refused(const char *path, int r, const char *name, const char *phrase)
{
        char fault[TRUSTED_FAULT] = "", want[TRUSTED_FAULT];

        assert_int_equal(trusted_open(path, false, fault), r);
        snprintf(want, sizeof(want), "%s %s", name, phrase);
        if (strncmp(fault, want, strlen(want)))
                fail_msg("%s: \"%s\" instead of \"%s\"", path, fault, want);
}

static void a_file_of_ours_is_trusted_however_it_is_named(void **state)
{
        (void)state;
        put_dir("d", 0755);
        put_file("d/file", 0644);
        put_link("file", "d/link");
        put_link(path_of("d/link"), "far");
        put_link("d", "dir");
        assert_trusted(path_of("d/file"), "d/file");
        assert_trusted(path_of("d/link"), "d/file");
        assert_trusted(path_of("far"), "d/file");
        assert_trusted(path_of("dir/link"), "d/file");
        assert_trusted(path_of("./d//../d/./file"), "d/file");
        assert_trusted(path_of("dir/../d/file"), "d/file");
}

static void what_others_can_write_is_refused_by_name(void **state)
{
        (void)state;
        put_file("group", 0664);
        put_file("all", 0666);
        assert_refused(path_of("group"), -EPERM, path_of("group"), "is writable by its group");
        assert_refused(path_of("all"), -EPERM, path_of("all"), "is writable by everybody");
}

static void a_directory_on_the_way_counts_like_the_file(void **state)
{
        (void)state;
        put_dir("open", 0775);
        put_dir("open/shut", 0755);
        put_file("open/shut/file", 0644);
        put_link("open/shut/file", "link");
        assert_refused(path_of("open/shut/file"), -EPERM, path_of("open"), "is writable by its group");
        assert_refused(path_of("link"), -EPERM, path_of("open"), "is writable by its group");
        assert_int_equal(chmod(path_of("open"), 0777), 0);
        assert_refused(path_of("open/shut/../shut/file"), -EPERM, path_of("open"), "is writable by everybody");
        assert_int_equal(chmod(path_of("open"), 01777), 0); /* as /tmp is */
        assert_trusted(path_of("open/shut/file"), "open/shut/file");
}

static void what_belongs_to_somebody_else_is_refused(void **state)
{
        (void)state;
        if (geteuid())
                return leave_out("only root can give files away");
        put_dir("sticky", 01777);
        put_file("sticky/file", 0644);
        put_file("mine", 0644);
        put_link("../mine", "sticky/link");
        assert_int_equal(lchown(path_of("sticky/file"), SOMEBODY, 0), 0);
        assert_int_equal(lchown(path_of("sticky/link"), SOMEBODY, 0), 0);
        assert_refused(path_of("sticky/file"), -EPERM, path_of("sticky/file"), "belongs to user 12345");
        assert_refused(path_of("sticky/link"), -EPERM, path_of("sticky/link"), "belongs to user 12345");
        assert_int_equal(lchown(path_of("sticky"), SOMEBODY, 0), 0);
        assert_refused(path_of("sticky/file"), -EPERM, path_of("sticky"), "belongs to user 12345");
}

static void what_is_no_plain_file_is_refused(void **state)
{
        (void)state;
        put_dir("d", 0755);
        put_file("plain", 0644);
        assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
        assert_refused(path_of("d"), -EPERM, path_of("d"), "is no regular file");
        assert_refused(path_of("fifo"), -EPERM, path_of("fifo"), "is no regular file");
        assert_refused("/dev/null", -EPERM, "/dev/null", "is ");
        assert_refused(path_of("none"), -ENOENT, path_of("none"), "cannot be opened: No such file");
        assert_refused(path_of("plain/x"), -ENOTDIR, path_of("plain/x"), "cannot be opened: Not a directory");
        assert_refused("relative", -EINVAL, "relative", "is no absolute path");
}

static void links_that_lead_nowhere_end(void **state)
{
        char name[600];

        (void)state;
        put_link("b", "a");
        put_link("a", "b");
        put_link("gone", "dangling");
        assert_refused(path_of("a"), -ELOOP, path_of("a"), "leads through too many symbolic links");
        assert_refused(path_of("dangling"), -ENOENT, path_of("gone"), "cannot be opened");
        memset(name, 'x', sizeof(name));
        name[0] = '/';
        name[sizeof(name) - 1] = '\0';
        assert_refused(name, -ENAMETOOLONG, "/", "has no such long names");
}

/* A link of procfs leads to a file without a way to it; its text is taken as a way like any other. */
static void a_magic_link_is_no_way(void **state)
{
        char path[64];
        int fd;

        (void)state;
        put_file("open", 0666);
        fd = open(path_of("open"), O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        assert_refused(path, -EPERM, path_of("open"), "is writable by everybody");
        assert_int_equal(unlink(path_of("open")), 0);
        assert_refused(path, -ENOENT, path_of("open (deleted)"), "cannot be opened");
        close(fd);
}

static void an_executable_must_be_one(void **state)
{
        char fault[TRUSTED_FAULT] = "";
        int fd;

        (void)state;
        put_file("plain", 0644);
        put_file("exec", 0755);
        assert_int_equal(trusted_open(path_of("plain"), true, fault), -EACCES);
        assert_non_null(strstr(fault, "plain is not executable"));
        fd = trusted_open(path_of("exec"), true, fault);
        assert_true(fd >= 0);
        close(fd);
}

static void a_long_path_is_named_by_its_end(void **state)
{
        char deep[200], want[200];

        (void)state;
        memset(deep, 'd', 150);
        strcpy(deep + 150, "-end");
        put_file(deep, 0666);
        memset(want, 'd', 200);
        snprintf(want, sizeof(want), "...%s", deep + strlen(deep) - 120);
        assert_refused(path_of(deep), -EPERM, want, "is writable by everybody");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(a_file_of_ours_is_trusted_however_it_is_named),
                T(what_others_can_write_is_refused_by_name),
                T(a_directory_on_the_way_counts_like_the_file),
                T(what_belongs_to_somebody_else_is_refused),
                T(what_is_no_plain_file_is_refused),
                T(links_that_lead_nowhere_end),
                T(a_magic_link_is_no_way),
                T(an_executable_must_be_one),
                T(a_long_path_is_named_by_its_end),
        };

        return cmocka_run_group_tests_name("trusted", tests, NULL, NULL);
}
