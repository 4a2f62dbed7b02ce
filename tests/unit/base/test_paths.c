/* Which socket: the strongest voice wins, empty ones are silent, and a path that no socket can have is refused. Which
 * program: one that stands beside this one and can be run. */
#include "base/paths.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_order(void **state)
{
        struct paths_socket from = {"/flag", "/env", "/config", "/run/user/1"};
        char out[108];

        (void)state;
        assert_int_equal(paths_socket(&from, out, sizeof(out)), 0);
        assert_string_equal(out, "/flag");
        from.flag = "";
        assert_int_equal(paths_socket(&from, out, sizeof(out)), 0);
        assert_string_equal(out, "/env");
        from.env = NULL;
        assert_int_equal(paths_socket(&from, out, sizeof(out)), 0);
        assert_string_equal(out, "/config");
        from.config = NULL;
        assert_int_equal(paths_socket(&from, out, sizeof(out)), 0);
        assert_string_equal(out, "/run/user/1/poppo/poppo.sock");
        from.runtime_dir = "";
        assert_int_equal(paths_socket(&from, out, sizeof(out)), 0);
        assert_string_equal(out, "/run/poppo/poppo.sock");
}

static void test_too_long(void **state)
{
        char path[109], out[108];
        struct paths_socket from = {.flag = path};

        (void)state;
        memset(path, 'x', sizeof(path));
        path[108] = 0;
        assert_int_equal(paths_socket(&from, out, sizeof(out)), -ENAMETOOLONG);
        path[107] = 0;
        assert_int_equal(paths_socket(&from, out, sizeof(out)), 0);
        assert_string_equal(out, path);
}

static void test_beside(void **state)
{
        char self[PATH_MAX], out[PATH_MAX + 64], small[8];
        const char *name;

        (void)state;
        assert_non_null(realpath("/proc/self/exe", self));
        name = strrchr(self, '/') + 1;
        assert_int_equal(paths_beside(name, out, sizeof(out)), 0);
        assert_string_equal(out, self);
        assert_int_equal(paths_beside("/bin/sh", out, sizeof(out)), 0);
        assert_string_equal(out, "/bin/sh");
        assert_int_equal(paths_beside(name, small, sizeof(small)), -ENAMETOOLONG);
        assert_int_equal(paths_beside("/bin/sh", small, strlen("/bin/sh")), -ENAMETOOLONG);
}

static void test_program(void **state)
{
        const char *names[] = {"no-such-program", "/etc/passwd", "/bin", "/bin/sh", "/bin/cat"};
        char self[PATH_MAX], out[PATH_MAX + 64];

        (void)state;
        assert_true(paths_find_program(names, 5, out, sizeof(out)));
        assert_string_equal(out, "/bin/sh");
        assert_false(paths_find_program(names, 3, out, sizeof(out)));
        assert_non_null(realpath("/proc/self/exe", self));
        names[1] = strrchr(self, '/') + 1;
        assert_true(paths_find_program(names, 5, out, sizeof(out)));
        assert_string_equal(out, self);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_too_long),
                cmocka_unit_test(test_beside),
                cmocka_unit_test(test_program),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
