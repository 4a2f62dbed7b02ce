/* The table itself: limits hold at both ends, every default is allowed, and the words are those of the wire. */
#include "sample.h"

#include "base/log.h"
#include "config/schema.h"
#include "config/value.h"
#include "wire/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* The name of an entry that has the option; of a handler with what it needs besides. */
static void open_entry(char *text, const struct config_section *section, const struct config_option *o)
{
        for (size_t i = 0; section->names && section->names[i]; i++) {
                const char *entry = section->names[i];

                if (config_option_belongs(section, o, &entry)) {
                        strcat(strcat(strcat(text, "{\""), entry), "\":");
                        return;
                }
        }
        strcat(text, "{\"own\":");
}

/* A file that sets one option of one section: {"daemon": {"worker": {KEY: VALUE}}}. */
static int load_one(const struct config_section *section, const struct config_option *o, const char *value, char *error,
        size_t size)
{
        char text[512] = "", path[128];
        struct config_error err;
        struct config cfg = {0};
        size_t depth = 0;
        char *save = NULL;
        int r;

        snprintf(path, sizeof(path), "%s", section->path);
        for (char *part = strtok_r(path, ".", &save); part; part = strtok_r(NULL, ".", &save), depth++) {
                strcat(strcat(strcat(text, "{\""), part), "\":");
                if (!strcmp(part, "projects") || !strcmp(part, "taskTypes"))
                        open_entry(text, section, o), depth++;
        }
        strcat(text, strstr(text, "{\"taskTypes\":{\"own\"") ? "{\"program\":\"/p\", \"" : "{\"");
        strcat(strcat(strcat(strcat(text, o->key), "\":"), value), "}");
        while (depth--)
                strcat(text, "}");
        r = load_string(&cfg, text, &err);
        snprintf(error, size, "%s", r ? err.text : "");
        config_fini(&cfg);
        return r;
}

static void expect(const struct config_section *section, const struct config_option *o, double number, bool allowed)
{
        char value[64], error[600];
        int r;

        snprintf(value, sizeof(value), "%.17g", number);
        r = load_one(section, o, value, error, sizeof(error));
        /* An end of the range may contradict another option's default: that is the other check's sentence. */
        if (allowed && r && !strstr(error, "must not be above"))
                fail_msg("%s.%s: %s is in its range: %s", section->path, o->key, value, error);
        if (!allowed && !strstr(error, "must be "))
                fail_msg("%s.%s: %s is out of its range: %s", section->path, o->key, value, error);
}

static void check_range(const struct config_section *section, const struct config_option *o)
{
        const struct config_type *numbers[] = {&config_type_INT, &config_type_MS, &config_type_SIZE, &config_type_REAL,
                &config_type_RATE};

        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
                if (o->type != numbers[i])
                        continue;
                expect(section, o, o->min, true);
                expect(section, o, o->max, true);
                expect(section, o, o->min - 1, false);
                expect(section, o, o->max + 1, false);
        }
}

static void for_each_option(const struct config_section *section,
        void (*check)(const struct config_section *, const struct config_option *))
{
        for (size_t i = 0; i < section->n_options; i++) {
                if (section->options[i].child)
                        for_each_option(section->options[i].child, check);
                else
                        check(section, &section->options[i]);
        }
}

static void test_ranges(void **state)
{
        (void)state;
        for_each_option(config_root_section, check_range);
}

/* Giving an option the value that it has anyway changes nothing and is no error. */
static void check_default(const struct config_section *section, const struct config_option *o)
{
        char value[64], error[600];
        json_t *bare;

        if (!o->fallback)
                return;
        bare = json_loads(o->fallback, JSON_DECODE_ANY, NULL);
        snprintf(value, sizeof(value), bare ? "%s" : "\"%s\"", o->fallback);
        json_decref(bare);
        if (load_one(section, o, value, error, sizeof(error)))
                fail_msg("%s", error);
}

static void test_defaults_are_allowed(void **state)
{
        (void)state;
        for_each_option(config_root_section, check_default);
}

/* config_keep_fixed() does not look into entries with names. */
static void check_live(const struct config_section *section, const struct config_option *o)
{
        if (o->fixed)
                fail_msg("%s.%s needs a restart, and stands in a section with names", section->path, o->key);
}

static void test_named_sections_are_live(void **state)
{
        size_t n = 0;

        (void)state;
        for (size_t i = 0; i < config_root_section->n_options; i++)
                if (config_root_section->options[i].kind == CONFIG_EACH) {
                        for_each_option(config_root_section->options[i].child, check_live);
                        n++;
                }
        assert_int_equal(n, 2);
}

/* A misspelt name in an ONLY row would make an option that belongs nowhere. */
static void test_options_of_single_entries_name_entries(void **state)
{
        const struct config_section *types = config_option_find(config_root_section, "taskTypes")->child;
        size_t n = 0;

        (void)state;
        for (const struct config_only *only = types->onlys; only->option < types->n_options; only++, n++)
                assert_true(!only->name || config_name_is_word(types, only->name));
        assert_true(n > 10);
        assert_int_equal(types->handlers->most, CONFIG_HANDLERS_MAX);
}

static const char *profile_of_the_wire(void)
{
        const struct wire_message *m = &wire_messages[WIRE_ID_handler];

        for (size_t i = 0; i < m->n_fields; i++)
                if (!strcmp(m->fields[i].name, "profile"))
                        return m->fields[i].words;
        return "";
}

static void test_profiles_are_those_of_the_wire(void **state)
{
        const struct config_section *types = config_option_find(config_root_section, "taskTypes")->child;
        const char *const *words = config_option_find(types, "profile")->words;

        (void)state;
        for (int i = 0; i < CONFIG_PROFILE_WORDS; i++)
                assert_int_equal(wire_word_index(profile_of_the_wire(), wire_str(words[i])), i);
}

static void test_task_types_are_those_of_the_wire(void **state)
{
        const char *const *names = config_option_find(config_root_section, "taskTypes")->child->names;
        size_t n_config = 0, n_wire = 0;

        (void)state;
        for (; names[n_config]; n_config++)
                assert_non_null(wire_task_find(wire_str(names[n_config])));
        for (size_t i = 0; i < WIRE_IDS; i++)
                n_wire += wire_messages[i].kind == WIRE_TASK;
        assert_int_equal(n_config, n_wire);
}

static void test_log_words_are_those_of_the_log(void **state)
{
        const struct config_section *logging = config_option_find(config_root_section, "logging")->child;
        const char *const *words = config_option_find(logging, "level")->words;

        (void)state;
        for (int i = 0; i < CONFIG_LOG_LEVEL_WORDS; i++)
                assert_int_equal(log_level_parse(words[i]), i);
        assert_null(words[CONFIG_LOG_LEVEL_WORDS]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ranges),
                cmocka_unit_test(test_defaults_are_allowed),
                cmocka_unit_test(test_named_sections_are_live),
                cmocka_unit_test(test_options_of_single_entries_name_entries),
                cmocka_unit_test(test_profiles_are_those_of_the_wire),
                cmocka_unit_test(test_task_types_are_those_of_the_wire),
                cmocka_unit_test(test_log_words_are_those_of_the_log),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
