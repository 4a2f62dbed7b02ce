/* Which socket: the strongest voice wins, empty ones are silent, and a path that no socket can have is refused. */
#include "base/paths.h"

#include <errno.h>
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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_too_long),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
