/* options.def as descriptors, which loading, dumping and comparing walk. Inside config/ only; users see config.h. */
#pragma once

#include "config/config.h"

#include <stdbool.h>
#include <stddef.h>

struct config_type;

enum config_kind { CONFIG_VALUE, CONFIG_NEST, CONFIG_EACH };

struct config_option {
        const char *key;
        const char *fallback;           /* as in the file, without quotes; NULL = absent */
        const struct config_type *type; /* of a CONFIG_VALUE */
        const char *const *words;       /* of a choice or list; NULL = any */
        const struct config_section *child;
        double min, max;
        size_t offset;         /* of the member; of a CONFIG_EACH: of the pointer to the entries */
        size_t count_offset;   /* of a CONFIG_EACH: of their number */
        size_t default_offset; /* of a CONFIG_EACH: of the entry that holds for other names */
        enum config_kind kind;
        bool fixed; /* only a restart changes it */
};

/* Indices of options: low's value must not be above high's, unless that is 0 = unlimited. */
struct config_order {
        unsigned char low, high;
};

/* Index of an option that is for some entries only, and the name of such an entry; NULL: of a name that is no word. */
struct config_only {
        unsigned char option;
        const char *name;
};

/* What an entry needs whose name is no word of `names`: one of two options; and how many such entries there may be. */
struct config_handlers {
        unsigned char option, other;
        size_t most; /* 0: none */
};

struct config_section {
        const char *path;
        const struct config_option *options;
        size_t n_options;
        const struct config_order *orders; /* low == high ends them */
        const struct config_only *onlys;   /* an option that is none of this section's ends them */
        const struct config_handlers *handlers; /* the first one counts */
        const char *const *names; /* what an entry of a CONFIG_EACH may be called; NULL = any name */
        size_t size;
};

enum { CONFIG_OPTIONS_MAX = 32 };

extern const struct config_section *const config_root_section;

/* NULL if the section has no such key. */
const struct config_option *config_option_find(const struct config_section *section, const char *key);

/* Whether the option is for this entry; in a section without names all are. */
bool config_option_belongs(const struct config_section *section, const struct config_option *o, const void *entry);

/* Whether this is one of the words that the section's entries are called. */
bool config_name_is_word(const struct config_section *section, const char *name);

static inline void *config_member(const void *base, size_t offset)
{
        return (char *)base + offset;
}

/* The entries of a CONFIG_EACH member: their number, and one of them. */
static inline size_t *config_count(const void *base, const struct config_option *o)
{
        return config_member(base, o->count_offset);
}

static inline char *config_entry(const void *base, const struct config_option *o, size_t i)
{
        return *(char **)config_member(base, o->offset) + i * o->child->size;
}

static inline const char *config_entry_name(const char *entry)
{
        return *(char *const *)entry;
}
