/* poppo(1) against the command table: a page that lies about a command or an option fails here. */
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE_MAX = 128 * 1024 };

/* The page as mandoc prints it, lines unbroken, without overstrikes. */
static const char *page(void)
{
        static char text[PAGE_MAX];
        const char *path = getenv("POPPO_PAGE");
        char command[512];
        size_t n = 0;
        FILE *pipe;
        int c;

        assert_non_null(path);
        snprintf(command, sizeof(command), "mandoc -T ascii -O width=500 '%s'", path);
        pipe = popen(command, "r");
        assert_non_null(pipe);
        while ((c = getc(pipe)) != EOF && n < sizeof(text) - 1) {
                if (c == '\b')
                        n -= n > 0;
                else
                        text[n++] = (char)c;
        }
        text[n] = '\0';
        assert_int_equal(pclose(pipe), 0);
        return text;
}

/* A line of its own, or, if short, one that the text behind it begins on. */
static void assert_line(const char *text, const char *line)
{
        char phrase[600];
        size_t len = (size_t)snprintf(phrase, sizeof(phrase), "\n     %s", line);

        for (const char *at = strstr(text, phrase); at; at = strstr(at + 1, phrase))
                if (at[len] == '\n' || (at[len] == ' ' && at[len + 1] == ' '))
                        return;
        fail_msg("poppo(1) has no line \"%s\"", line);
}

static void test_synopses(void **state)
{
        const char *text = page();

        (void)state;
        for (size_t i = 0; i < cli_n_commands; i++) {
                char synopsis[512];

                cli_synopsis(&cli_commands[i], synopsis, sizeof(synopsis));
                assert_line(text, synopsis + strlen("poppo "));
        }
}

static void test_options(void **state)
{
        const char *text = page();

        (void)state;
        for (int i = 0; i < OPTIONS; i++) {
                const struct cli_option *o = &cli_options[i];
                char line[128], letter[8] = "";

                if (o->letter)
                        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
                snprintf(line, sizeof(line), "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
                        o->argument ? o->argument : "");
                assert_line(text, line);
        }
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_synopses),
                cmocka_unit_test(test_options),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
