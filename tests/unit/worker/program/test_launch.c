/* From a handler's record to a command line whose code was checked. */
#include "wire/pack.h"
#include "worker/program/launch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], script[96], data[96];
static struct buf buffers[2];
static struct launch launch;
static struct wire_refusal why;

static void put_file(char *path, const char *name, mode_t mode)
{
        FILE *f;

        snprintf(path, sizeof(script), "%s/%s", dir, name);
        f = fopen(path, "we");
        assert_non_null(f);
        fclose(f);
        assert_int_equal(chmod(path, mode), 0);
}

static int set_up(void **state)
{
        (void)state;
        strcpy(dir, "/tmp/poppo-launch-XXXXXX");
        if (!mkdtemp(dir))
                return -1;
        put_file(script, "script", 0755);
        put_file(data, "data", 0644);
        buf_init(&buffers[0], 0);
        buf_init(&buffers[1], 0);
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        launch_fini(&launch);
        buf_fini(&buffers[0]);
        buf_fini(&buffers[1]);
        return unlink(script) || unlink(data) || rmdir(dir);
}

static struct bytes list(struct buf *b, const char *const *items)
{
        struct pack p;
        size_t n = 0;

        while (items[n])
                n++;
        buf_consume(b, buf_size(b));
        pack_init(&p, b);
        pack_array(&p, n);
        for (size_t i = 0; i < n; i++)
                pack_text(&p, items[i]);
        return buf_bytes(b);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static int read_launch(const char *const *argv, const char *const *paths)
{
        struct wire_handler h = {0};

        WIRE_SET(&h, handler, type, wire_str("mine"));
        WIRE_SET(&h, handler, program, list(&buffers[0], argv));
        if (paths)
                WIRE_SET(&h, handler, paths, list(&buffers[1], paths));
        launch_fini(&launch);
        return launch_read(&h, &launch, &why);
}

static void the_systems_own_needs_no_path(void **state)
{
        (void)state;
        assert_int_equal(read_launch(LIST("/usr/bin/env", "-i", "/no/such/file"), NULL), 0);
        assert_string_equal(launch.argv[0], "/usr/bin/env");
        assert_string_equal(launch.argv[2], "/no/such/file");
        assert_null(launch.argv[3]);
        assert_null(launch.paths[0]);
}

static void files_of_the_command_line_are_seen(void **state)
{
        (void)state;
        assert_int_equal(read_launch(LIST(script, data, data, "/usr/bin/env"), LIST("/opt", data)), 0);
        assert_string_equal(launch.paths[0], "/opt");
        assert_string_equal(launch.paths[1], data);
        assert_string_equal(launch.paths[2], script);
        assert_null(launch.paths[3]);
}

static void code_that_others_could_change_is_refused(void **state)
{
        (void)state;
        assert_int_equal(chmod(data, 0664), 0);
        assert_int_equal(read_launch(LIST("/usr/bin/env", data), NULL), 1);
        assert_non_null(strstr(why.message, "data is writable by its group"));
}

static void what_cannot_be_executed_is_refused(void **state)
{
        (void)state;
        assert_int_equal(read_launch(LIST(data), NULL), 1);
        assert_non_null(strstr(why.message, "data is not executable"));
        assert_int_equal(read_launch(LIST("env"), NULL), 1);
        assert_int_equal(read_launch(LIST(), NULL), 1);
        assert_string_equal(why.message, "no program is named");
}

static void lists_are_bounded(void **state)
{
        static const char *many[LAUNCH_ARGS_MAX + 2];

        (void)state;
        for (int i = 0; i <= LAUNCH_ARGS_MAX; i++)
                many[i] = "/usr/bin/env";
        assert_int_equal(read_launch(many, NULL), 1);
        assert_non_null(strstr(why.message, "more than"));
}

static void the_environment_is_ours(void **state)
{
        (void)state;
        assert_int_equal(read_launch(LIST("/usr/bin/env"), NULL), 0);
        assert_string_equal(launch.envp[4], "POPPO_TYPE=mine");
        assert_null(launch.envp[5]);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                T(the_systems_own_needs_no_path),
                T(files_of_the_command_line_are_seen),
                T(code_that_others_could_change_is_refused),
                T(what_cannot_be_executed_is_refused),
                T(lists_are_bounded),
                T(the_environment_is_ours),
        };

        return cmocka_run_group_tests_name("launch", tests, NULL, NULL);
}
