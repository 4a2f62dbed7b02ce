/* libpoppo(3) against the header: every function is on the page and is exported; the page's example runs as it stands. */
#include "fake_server.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

/* The build says where they are. */
static char *read_file(const char *variable)
{
        const char *path = getenv(variable);
        FILE *file = path ? fopen(path, "r") : NULL;
        char *text = NULL;
        size_t size = 0;

        assert_non_null(file);
        assert_true(getdelim(&text, &size, '\0', file) > 0);
        fclose(file);
        return text;
}

/* The name before the first '(' of a declaration. */
static void take_name(const char *declaration, char *name, size_t size)
{
        const char *end = strchr(declaration, '('), *start = end;

        assert_non_null(end);
        while (isalnum(start[-1]) || start[-1] == '_')
                start--;
        assert_true((size_t)(end - start) < size - 2);
        snprintf(name, size, "%.*s", (int)(end - start), start);
}

/* Long ones are written over several lines, .Fo to .Fc. */
static int page_has_block(const char *page, const char *name)
{
        char phrase[128];

        snprintf(phrase, sizeof(phrase), ".Fo %s\n", name);
        return strstr(page, phrase) != NULL;
}

static void assert_mentions(const char *text, const char *before, const char *name, const char *after)
{
        char phrase[128];

        snprintf(phrase, sizeof(phrase), "%s%s%s", before, name, after);
        if (!strstr(text, phrase))
                fail_msg("%s is missing", phrase);
}

static void test_every_function_is_described_and_exported(void **state)
{
        char *header = read_file("POPPO_HEADER"), *page = read_file("POPPO_PAGE"), *map = read_file("POPPO_MAP");
        size_t n = 0;

        (void)state;
        for (const char *at = header; (at = strstr(at, "\nPOPPO_API ")); at++, n++) {
                char name[80];

                take_name(at, name, sizeof(name));
                assert_mentions(map, "        ", name, ";");
                assert_mentions(page, page_has_block(page, name) ? ".Fo " : ".Fn ", name, "");
        }
        assert_in_range(n, 30, 200);
        free(header);
        free(page);
        free(map);
}

static void test_the_example_runs(void **state)
{
        struct fake fake;
        FILE *pipe;
        char output[4096];
        size_t len;

        (void)state;
        fake_start(&fake, NULL, 0, 0);
        setenv("POPPO_SOCKET", fake.path, 1);
        pipe = popen(getenv("POPPO_EXAMPLE"), "r");
        assert_non_null(pipe);
        len = fread(output, 1, sizeof(output) - 1, pipe);
        output[len] = '\0';
        assert_int_equal(pclose(pipe), 0);
        assert_string_equal(output,
                "value: \"function (a, b) { return a * b; }\"\n"
                "task 0: \"0 * 0\"\ntask 1: \"1 * 1\"\ntask 2: \"2 * 2\"\ntask 3: \"3 * 3\"\ntask 4: \"4 * 4\"\n"
                "task 5: \"5 * 5\"\ntask 6: \"6 * 6\"\ntask 7: \"7 * 7\"\ntask 8: \"8 * 8\"\ntask 9: \"9 * 9\"\n");
        fake_stop(&fake);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_function_is_described_and_exported),
                cmocka_unit_test(test_the_example_runs),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
