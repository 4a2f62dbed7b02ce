/* What a reload changes, and what it must leave as it is until a restart. Values are compared by their JSON texts. */
#include "config/config.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "config/dump.h"
#include "config/section.h"
#include "config/value.h"

#include <errno.h>
#include <string.h>

struct comparison {
        void (*on_change)(void *arg, const struct config_change *change);
        void *arg;
        char path[256];
        int n_changes;
};

static int compare_sections(struct comparison *c, const struct config_section *section, const void *before,
        const void *after);

static void tell(struct comparison *c, const char *before, const char *after, bool needs_restart)
{
        struct config_change change = {c->path, before, after, needs_restart};

        c->n_changes++;
        c->on_change(c->arg, &change);
}

static const char *shown(const struct config_option *o, const void *base, const char *text)
{
        return config_value_secret(o, config_member(base, o->offset)) ? CONFIG_HIDDEN : text;
}

static int compare_values(struct comparison *c, const struct config_option *o, const void *before, const void *after)
{
        CLEANUP(cleanup_free) char *a = NULL;
        CLEANUP(cleanup_free) char *b = NULL;
        int r = config_value_text(o, before, &a);

        if (!r)
                r = config_value_text(o, after, &b);
        if (!r && (!a != !b || (a && strcmp(a, b))))
                tell(c, shown(o, before, a), shown(o, after, b), o->fixed);
        return r;
}

static int tell_entry(struct comparison *c, const struct config_section *section, const char *entry, bool added)
{
        CLEANUP(cleanup_free) char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        if (!out)
                return error_origin(-ENOMEM);
        config_write_section(out, section, entry, -1);
        if (fclose(out))
                return error_origin(-ENOMEM);
        tell(c, added ? NULL : text, added ? text : NULL, false);
        return 0;
}

/* Appends to the path; the caller cuts it off again at the length returned. */
static size_t descend(struct comparison *c, const char *key)
{
        size_t len = strlen(c->path);

        snprintf(c->path + len, sizeof(c->path) - len, "%s%s", len ? "." : "", key);
        return len;
}

static int compare_entry(struct comparison *c, const struct config_option *o, const char *entry, const void *others,
        bool entry_is_new)
{
        const char *name = config_entry_name(entry);
        const void *other = config_entry_find(others, o, name, strlen(name));
        size_t len = descend(c, name);
        int r = 0;

        if (!other)
                r = tell_entry(c, o->child, entry, entry_is_new);
        else if (!entry_is_new)
                r = compare_sections(c, o->child, entry, other);
        c->path[len] = 0;
        return r;
}

/* What is gone or differs, then what is new. */
static int compare_entries(struct comparison *c, const struct config_option *o, const void *before, const void *after)
{
        int r = 0;

        for (size_t i = 0; i < *config_count(before, o) && !r; i++)
                r = compare_entry(c, o, config_entry(before, o, i), after, false);
        for (size_t i = 0; i < *config_count(after, o) && !r; i++)
                r = compare_entry(c, o, config_entry(after, o, i), before, true);
        return r;
}

static int compare_sections(struct comparison *c, const struct config_section *section, const void *before,
        const void *after)
{
        int r = 0;

        for (size_t i = 0; i < section->n_options && !r; i++) {
                const struct config_option *o = &section->options[i];
                size_t len = descend(c, o->key);

                if (o->kind == CONFIG_EACH)
                        r = compare_entries(c, o, before, after);
                else if (o->kind == CONFIG_NEST)
                        r = compare_sections(c, o->child, config_member(before, o->offset),
                                config_member(after, o->offset));
                else
                        r = compare_values(c, o, before, after);
                c->path[len] = 0;
        }
        return r;
}

int config_compare(const struct config *before, const struct config *after,
        void (*on_change)(void *arg, const struct config_change *change), void *arg)
{
        struct comparison c = {.on_change = on_change, .arg = arg};
        int r = compare_sections(&c, config_root_section, before, after);

        return r < 0 ? r : c.n_changes;
}

static int keep_value(const struct config_option *o, void *next, const void *running)
{
        CLEANUP(cleanup_free) char *text = NULL;
        int r = config_value_text(o, running, &text);

        if (r < 0)
                return r;
        config_value_reset(o, config_member(next, o->offset));
        return text ? config_value_read_text(o, config_member(next, o->offset), text) : 0;
}

/* Entries with names have no fixed options; the tests hold the table to that. */
static int keep_section(const struct config_section *section, void *next, const void *running)
{
        int r = 0;

        for (size_t i = 0; i < section->n_options && !r; i++) {
                const struct config_option *o = &section->options[i];

                if (o->kind == CONFIG_NEST)
                        r = keep_section(o->child, config_member(next, o->offset), config_member(running, o->offset));
                else if (o->fixed)
                        r = keep_value(o, next, running);
        }
        return r;
}

int config_keep_fixed(struct config *next, const struct config *running)
{
        return keep_section(config_root_section, next, running);
}
