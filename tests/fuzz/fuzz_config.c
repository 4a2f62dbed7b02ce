/*
 * Hostile configurations: what is refused is refused with a reason and a place inside of the text; what is
 * taken can be written out, is taken again, and means the same then.
 */
#include "config/config.h"
#include "fuzz.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void require(bool held)
{
        if (!held)
                abort();
}

static char *dump(const struct config *c, size_t *size)
{
        char *text = NULL;
        FILE *out = open_memstream(&text, size);

        require(out && config_dump(out, c) == 0);
        fclose(out);
        return text;
}

static void on_change(void *arg, const struct config_change *change)
{
        (void)change;
        ++*(int *)arg;
}

static void expect_the_same_again(const struct config *c)
{
        struct config again;
        struct config_error why;
        size_t size, size_again;
        char *text = dump(c, &size), *text_again;
        int changes = 0;

        require(config_load_text(&again, text, size, "again", &why) == 0);
        require(config_compare(c, &again, on_change, &changes) == 0 && !changes);
        text_again = dump(&again, &size_again);
        require(size == size_again && !memcmp(text, text_again, size));
        config_fini(&again);
        free(text);
        free(text_again);
}

static void expect_a_reason(const struct config_error *why, const uint8_t *data, size_t size)
{
        int lines = 1;

        for (size_t i = 0; i < size; i++)
                lines += data[i] == '\n';
        require(*why->text && memchr(why->text, '\0', sizeof(why->text)));
        require(why->line >= 0 && why->line <= lines && why->column >= 0 && (size_t)why->column <= size + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct config_error why = {0};
        struct config config;
        char *text = malloc(size + 1);

        require(text != NULL);
        memcpy(text, data, size);
        text[size] = '\0';
        if (config_load_text(&config, text, size, "fuzz", &why)) {
                expect_a_reason(&why, data, size);
        } else {
                expect_the_same_again(&config);
                config_fini(&config);
        }
        free(text);
        return 0;
}
