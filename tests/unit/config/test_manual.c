/* The examples of poppod.json(5), given as argument, load as they stand there. */
#include "sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *page;

/* The displays of the page that begin with a brace, one after the other. */
static int load_examples(FILE *in)
{
        char text[4096] = "", line[256];
        bool inside = false;
        int n_loaded = 0;

        while (fgets(line, sizeof(line), in)) {
                if (!strncmp(line, ".Bd", 3)) {
                        inside = true;
                        text[0] = 0;
                } else if (!strcmp(line, ".Ed\n")) {
                        struct config cfg;
                        struct config_error err;

                        inside = false;
                        if (text[0] != '{')
                                continue;
                        if (load_string(&cfg, text, &err))
                                fail_msg("%s: %s", err.text, text);
                        config_fini(&cfg);
                        n_loaded++;
                } else if (inside && strlen(text) + strlen(line) < sizeof(text)) {
                        strcat(text, line);
                }
        }
        return n_loaded;
}

static void test_examples_load(void **state)
{
        FILE *in = fopen(page, "r");

        (void)state;
        assert_non_null(in);
        assert_int_equal(load_examples(in), 3);
        fclose(in);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_examples_load),
        };

        page = argc > 1 ? argv[1] : "man/poppod.json.5";
        return cmocka_run_group_tests(tests, NULL, NULL);
}
