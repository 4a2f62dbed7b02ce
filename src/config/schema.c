/* The descriptors, by including options.def once for each kind of row. */
#include "config/schema.h"

#include "base/log.h"
#include "config/value.h"

#include <assert.h>
#include <string.h>

static_assert((int)CONFIG_LOG_LEVEL_DEBUG == (int)LOG_DEBUG && (int)CONFIG_LOG_LEVEL_WORDS == (int)LOG_LEVELS,
        "logging.level has the log's values");
static_assert((int)CONFIG_LOG_FORMAT_JSON == (int)LOG_FORMAT_JSON, "logging.format has the log's values");

#define NONE NULL

/* The words of each list, NULL at the end. */
#define WORDS(id) static const char *const words_##id[] = {
#define WORD(id, name, word, ...) word,
#define WORDS_END(id)                                                                                        \
        NULL                                                                                                 \
        }                                                                                                    \
        ;
#define BEGIN(...)
#define BEGIN_NAMED(...)
#define OPTION(...)
#define CHOICE(...)
#define LIST(...)
#define NEST(...)
#define EACH(...)
#define NOT_ABOVE(...)
#define HANDLERS(...)
#define ONLY(...)
#define END(...)
#include "config/options.def"

#define words_ANY NULL

/* The keys of the members, for NOT_ABOVE, which names members so that the compiler knows a misspelt one. */
#define WORDS(...)
#define WORD(...)
#define WORDS_END(...)
#define BEGIN(id, ...) enum keys_of_##id {
#define BEGIN_NAMED(id, ...) enum keys_of_##id {
#define OPTION(id, member, ...) AT_##id##_##member,
#define CHOICE(id, member, ...) AT_##id##_##member,
#define LIST(id, member, ...) AT_##id##_##member,
#define NEST(id, member, ...) AT_##id##_##member,
#define EACH(id, member, ...) AT_##id##_##member,
#define NOT_ABOVE(...)
#define HANDLERS(...)
#define ONLY(...)
#define END(id)                                                                                              \
        N_OPTIONS_##id                                                                                       \
        }                                                                                                    \
        ;                                                                                                    \
        static_assert((int)N_OPTIONS_##id <= (int)CONFIG_OPTIONS_MAX, "raise CONFIG_OPTIONS_MAX");
#include "config/options.def"

/* Orders. */
#define WORDS(...)
#define WORD(...)
#define WORDS_END(...)
#define BEGIN(id, ...) static const struct config_order orders_of_##id[] = {
#define BEGIN_NAMED(id, ...) static const struct config_order orders_of_##id[] = {
#define OPTION(...)
#define CHOICE(...)
#define LIST(...)
#define NEST(...)
#define EACH(...)
#define NOT_ABOVE(id, low, high) {AT_##id##_##low, AT_##id##_##high},
#define HANDLERS(...)
#define ONLY(...)
#define END(id)                                                                                              \
        {                                                                                                    \
                0, 0                                                                                         \
        }                                                                                                    \
        }                                                                                                    \
        ;
#include "config/options.def"

/* Which entries an option is for. */
#define HANDLER NULL
#define WORDS(...)
#define WORD(...)
#define WORDS_END(...)
#define BEGIN(id, ...) static const struct config_only onlys_of_##id[] = {
#define BEGIN_NAMED(id, ...) static const struct config_only onlys_of_##id[] = {
#define OPTION(...)
#define CHOICE(...)
#define LIST(...)
#define NEST(...)
#define EACH(...)
#define NOT_ABOVE(...)
#define HANDLERS(...)
#define ONLY(id, member, name) {AT_##id##_##member, name},
#define END(id)                                                                                              \
        {                                                                                                    \
                N_OPTIONS_##id, NULL                                                                         \
        }                                                                                                    \
        }                                                                                                    \
        ;
#include "config/options.def"

/* Entries with names of the operator's own. */
#define WORDS(...)
#define WORD(...)
#define WORDS_END(...)
#define BEGIN(id, ...) static const struct config_handlers handlers_of_##id[] = {
#define BEGIN_NAMED(id, ...) static const struct config_handlers handlers_of_##id[] = {
#define OPTION(...)
#define CHOICE(...)
#define LIST(...)
#define NEST(...)
#define EACH(...)
#define NOT_ABOVE(...)
#define HANDLERS(id, member, another, n) {AT_##id##_##member, AT_##id##_##another, n},
#define ONLY(...)
#define END(id)                                                                                              \
        {                                                                                                    \
                0, 0, 0                                                                                      \
        }                                                                                                    \
        }                                                                                                    \
        ;
#include "config/options.def"

#define IS_LIVE false
#define IS_START true
#define AT(id, member) .offset = offsetof(struct config_##id, member)

/* Options of each section. A child's section stands further down: declare them all first. */
#define WORDS(...)
#define WORD(...)
#define WORDS_END(...)
#define BEGIN(id, ...) static const struct config_section section_##id;
#define BEGIN_NAMED(id, ...) static const struct config_section section_##id;
#define OPTION(...)
#define CHOICE(...)
#define LIST(...)
#define NEST(...)
#define EACH(...)
#define NOT_ABOVE(...)
#define HANDLERS(...)
#define ONLY(...)
#define END(...)
#include "config/options.def"

#define WORDS(...)
#define WORD(...)
#define WORDS_END(...)
#define BEGIN(id, ...) static const struct config_option options_of_##id[] = {
#define BEGIN_NAMED(id, ...) static const struct config_option options_of_##id[] = {
#define OPTION(id, member, name, kind_of, low, high, otherwise, when, ...)                                   \
        {.key = name, AT(id, member), .kind = CONFIG_VALUE, .type = &config_type_##kind_of, .min = low,      \
                .max = high, .fallback = otherwise, .fixed = IS_##when},
#define CHOICE(id, member, name, list, otherwise, when, ...)                                                 \
        {.key = name, AT(id, member), .kind = CONFIG_VALUE, .type = &config_type_CHOICE,                     \
                .words = words_##list, .fallback = otherwise, .fixed = IS_##when},
#define LIST(id, member, name, list, otherwise, when, ...)                                                   \
        {.key = name, AT(id, member), .kind = CONFIG_VALUE, .type = &config_type_LIST,                       \
                .words = words_##list, .fallback = otherwise, .fixed = IS_##when},
#define NEST(id, member, name, of)                                                                           \
        {.key = name, AT(id, member), .kind = CONFIG_NEST, .child = &section_##of},
#define EACH(id, members, name, of)                                                                          \
        {.key = name, AT(id, members), .kind = CONFIG_EACH, .child = &section_##of,                          \
                .count_offset = offsetof(struct config_##id, n_##members),                                   \
                .default_offset = offsetof(struct config_##id, default_##of)},
#define NOT_ABOVE(...)
#define HANDLERS(...)
#define ONLY(...)
#define END(id)                                                                                              \
        }                                                                                                    \
        ;
#include "config/options.def"

#define SECTION(id, where, list)                                                                             \
        static const struct config_section section_##id = {.path = where, .options = options_of_##id,        \
                .n_options = N_OPTIONS_##id, .orders = orders_of_##id, .onlys = onlys_of_##id,               \
                .handlers = handlers_of_##id, .names = list,                                                 \
                .size = sizeof(struct config_##id)};
#define WORDS(...)
#define WORD(...)
#define WORDS_END(...)
#define BEGIN(id, where, ...) SECTION(id, where, NULL)
#define BEGIN_NAMED(id, where, list, ...) SECTION(id, where, words_##list)
#define OPTION(...)
#define CHOICE(...)
#define LIST(...)
#define NEST(...)
#define EACH(...)
#define NOT_ABOVE(...)
#define HANDLERS(...)
#define ONLY(...)
#define END(...)
#include "config/options.def"

const struct config_section *const config_root_section = &section_root;

const struct config_option *config_option_find(const struct config_section *section, const char *key)
{
        for (size_t i = 0; i < section->n_options; i++)
                if (!strcmp(section->options[i].key, key))
                        return &section->options[i];
        return NULL;
}

bool config_name_is_word(const struct config_section *section, const char *name)
{
        const char *known;

        return section->names && config_word_find(section->names, name, &known) >= 0;
}

static bool is_for(const struct config_section *section, const struct config_only *only, const char *name)
{
        return only->name ? !strcmp(only->name, name) : !config_name_is_word(section, name);
}

bool config_option_belongs(const struct config_section *section, const struct config_option *o, const void *entry)
{
        bool restricted = false;

        for (const struct config_only *only = section->onlys; only->option < section->n_options; only++)
                if (o == &section->options[only->option]) {
                        if (is_for(section, only, config_entry_name(entry)))
                                return true;
                        restricted = true;
                }
        return !restricted;
}
