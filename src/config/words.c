/* Words and lists: the options whose value is one of a set of strings, or an array. */
#include "config/value.h"

#include "base/nearest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int config_word_find(const char *const *words, const char *word, const char **known)
{
        struct nearest n;

        nearest_init(&n, word);
        for (int i = 0; words[i]; i++) {
                if (!strcmp(words[i], word))
                        return i;
                nearest_offer(&n, words[i]);
        }
        *known = n.best;
        return -1;
}

void config_write_string(FILE *out, const char *text)
{
        fputc('"', out);
        for (; *text; text++) {
                unsigned char c = (unsigned char)*text;

                if (c < 0x20 || c == 0x7f)
                        fprintf(out, "\\u%04x", c);
                else if (c == '"' || c == '\\')
                        fprintf(out, "\\%c", c);
                else
                        fputc(c, out);
        }
        fputc('"', out);
}

void config_write_words(FILE *out, const char *const *words)
{
        for (int i = 0; words[i]; i++) {
                if (i)
                        fputs(words[i + 1] ? ", " : " or ", out);
                config_write_string(out, words[i]);
        }
}

static int refuse(struct config_fault *fault, json_t *value, size_t index, const char *known)
{
        *fault = (struct config_fault){.value = value, .index = index, .known = known};
        return CONFIG_REFUSED;
}

/* ---- arrays of strings ---- */

static bool word_allowed(const struct config_option *o, json_t *item, const char **known)
{
        return json_is_string(item) && (!o->words || config_word_find(o->words, json_string_value(item), known) >= 0);
}

static int read_strings(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        struct config_strings *list = member;
        const char *known = NULL;
        json_t *item;
        size_t i;

        if (!json_is_array(value))
                return refuse(fault, value, CONFIG_WHOLE, NULL);
        list->items = calloc(json_array_size(value) + 1, sizeof(*list->items));
        if (!list->items)
                return -ENOMEM;
        json_array_foreach(value, i, item) {
                if (!word_allowed(o, item, &known))
                        return refuse(fault, item, i, known);
                list->items[i] = strdup(json_string_value(item));
                if (!list->items[i])
                        return -ENOMEM;
                list->n++;
        }
        return 0;
}

void config_write_strings(FILE *out, const struct config_option *o, const void *member)
{
        const struct config_strings *list = member;

        (void)o;
        fputc('[', out);
        for (size_t i = 0; i < list->n; i++) {
                fputs(i ? ", " : "", out);
                config_write_string(out, list->items[i]);
        }
        fputc(']', out);
}

static void expects_strings(FILE *out, const struct config_option *o)
{
        fputs("an array of ", out);
        if (o->words)
                config_write_words(out, o->words);
        else
                fputs("strings", out);
}

void config_reset_strings(void *member)
{
        struct config_strings *list = member;

        for (size_t i = 0; i < list->n; i++)
                free(list->items[i]);
        free(list->items);
        *list = (struct config_strings){0};
}

const struct config_type config_type_LIST = {read_strings, config_write_strings, expects_strings,
        config_reset_strings, NULL};

/* ---- arrays of integers ---- */

static int read_numbers(void *member, const struct config_option *o, json_t *value, struct config_fault *fault)
{
        struct config_numbers *list = member;
        json_t *item;
        size_t i;

        if (!json_is_array(value))
                return refuse(fault, value, CONFIG_WHOLE, NULL);
        list->items = calloc(json_array_size(value) + 1, sizeof(*list->items));
        if (!list->items)
                return -ENOMEM;
        json_array_foreach(value, i, item) {
                double number = json_number_value(item);

                if (!json_is_integer(item) || number < o->min || number > o->max)
                        return refuse(fault, item, i, NULL);
                list->items[list->n++] = json_integer_value(item);
        }
        return 0;
}

static void write_numbers(FILE *out, const struct config_option *o, const void *member)
{
        const struct config_numbers *list = member;

        (void)o;
        fputc('[', out);
        for (size_t i = 0; i < list->n; i++)
                fprintf(out, "%s%" PRId64, i ? ", " : "", list->items[i]);
        fputc(']', out);
}

static void expects_numbers(FILE *out, const struct config_option *o)
{
        fprintf(out, "an array of integers from %.0f to %.0f", o->min, o->max);
}

static void reset_numbers(void *member)
{
        struct config_numbers *list = member;

        free(list->items);
        *list = (struct config_numbers){0};
}

const struct config_type config_type_NUMBERS = {read_numbers, write_numbers, expects_numbers, reset_numbers, NULL};
