/* A configuration's life outside of files: defaults, lookups, the end. All of it walks the descriptors. */
#include "config/config.h"

#include "base/error.h"
#include "config/section.h"
#include "config/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int option_default(const struct config_option *o, void *base)
{
        if (o->kind == CONFIG_NEST)
                return config_section_defaults(o->child, config_member(base, o->offset));
        if (o->kind == CONFIG_EACH)
                return config_section_defaults(o->child, config_member(base, o->default_offset));
        config_value_reset(o, config_member(base, o->offset));
        return o->fallback ? config_value_read_text(o, config_member(base, o->offset), o->fallback) : 0;
}

int config_section_defaults(const struct config_section *section, void *base)
{
        int r = 0;

        for (size_t i = 0; i < section->n_options && !r; i++)
                r = option_default(&section->options[i], base);
        return r;
}

static void entry_fini(const struct config_section *section, char *entry)
{
        config_section_fini(section, entry);
        free(*(char **)entry);
}

static void entries_fini(const struct config_option *o, void *base)
{
        size_t *n = config_count(base, o);

        for (size_t i = 0; i < *n; i++)
                entry_fini(o->child, config_entry(base, o, i));
        free(*(void **)config_member(base, o->offset));
        *(void **)config_member(base, o->offset) = NULL;
        *n = 0;
        config_section_fini(o->child, config_member(base, o->default_offset));
}

void config_section_fini(const struct config_section *section, void *base)
{
        for (size_t i = 0; i < section->n_options; i++) {
                const struct config_option *o = &section->options[i];

                if (o->kind == CONFIG_NEST)
                        config_section_fini(o->child, config_member(base, o->offset));
                else if (o->kind == CONFIG_EACH)
                        entries_fini(o, base);
                else
                        config_value_reset(o, config_member(base, o->offset));
        }
}

int config_entry_add(void *base, const struct config_option *o, const char *name, void **entry)
{
        void **entries = config_member(base, o->offset);
        size_t *n = config_count(base, o), size = o->child->size;
        void *grown = realloc(*entries, (*n + 1) * size);

        if (!grown)
                return error_origin(-ENOMEM);
        *entries = grown;
        *entry = (char *)grown + *n * size;
        memset(*entry, 0, size);
        ++*n;
        *(char **)*entry = strdup(name);
        if (!*(char **)*entry)
                return error_origin(-ENOMEM);
        return config_section_defaults(o->child, *entry);
}

static int by_name(const void *a, const void *b)
{
        return strcmp(config_entry_name(a), config_entry_name(b));
}

void config_entries_sort(void *base, const struct config_option *o)
{
        size_t n = *config_count(base, o);

        if (n)
                qsort(config_entry(base, o, 0), n, o->child->size, by_name);
}

struct wanted {
        const char *name;
        size_t len;
};

/* The wanted name need not end with a NUL, the entry's does. */
static int compare_wanted(const void *key, const void *entry)
{
        const struct wanted *wanted = key;
        const char *own = config_entry_name(entry);
        size_t len = strlen(own);
        int r = memcmp(wanted->name, own, wanted->len < len ? wanted->len : len);

        return r ? r : (wanted->len > len) - (wanted->len < len);
}

void *config_entry_find(const void *base, const struct config_option *o, const char *name, size_t len)
{
        struct wanted wanted = {name, len};
        size_t n = *config_count(base, o);

        return n ? bsearch(&wanted, config_entry(base, o, 0), n, o->child->size, compare_wanted) : NULL;
}

int config_defaults(struct config *out)
{
        int r;

        *out = (struct config){0};
        r = config_section_defaults(config_root_section, out);
        if (r < 0)
                config_fini(out);
        return r;
}

void config_fini(struct config *cfg)
{
        config_section_fini(config_root_section, cfg);
}

const struct config_project *config_project_find(const struct config *cfg, const char *name, size_t len)
{
        const struct config_project *found =
                config_entry_find(cfg, config_option_find(config_root_section, "projects"), name, len);

        return found ? found : &cfg->default_project;
}

const struct config_task_type *config_task_type_find(const struct config *cfg, const char *name, size_t len)
{
        const struct config_task_type *found =
                config_entry_find(cfg, config_option_find(config_root_section, "taskTypes"), name, len);

        return found ? found : &cfg->default_task_type;
}
