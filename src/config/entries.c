/* Entries with names: words of the table, or the operator's own, which are held to rules of their own. */
#include "config/entries.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/nearest.h"
#include "config/section.h"
#include "config/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

enum { PROJECT_NAME_MAX = 128, HANDLER_NAME_MAX = 64 };

/* ---- names ---- */

static bool name_ok(const char *name, const char *letters, size_t max)
{
        size_t len = strlen(name);

        return len && len <= max && strspn(name, letters) == len;
}

static int refuse_name(struct config_walk *w, json_t *key, size_t place, int max, const char *others)
{
        char shown[CONFIG_SHOWN];

        config_show(key, shown);
        return config_refuse(&w->report, place, "%s: the name %s is not 1 to %d letters, digits and . _ -%s",
                w->path, shown, max, others);
}

static size_t count_handlers(const struct config_option *o, const void *base)
{
        size_t n = 0;

        for (size_t i = 0; i < *config_count(base, o); i++)
                n += !config_name_is_word(o->child, config_entry_name(config_entry(base, o, i)));
        return n;
}

static const char *handler_key(const struct config_section *section, unsigned char option)
{
        return section->options[option].key;
}

/* Most likely a misspelt word: a handler would say what it is. */
static int refuse_word(struct config_walk *w, const struct config_section *section, json_t *key, size_t place)
{
        const struct config_handlers *own = section->handlers;
        char shown[CONFIG_SHOWN], hint[96] = "; a";
        const char *known = NULL;

        config_word_find(section->names, json_string_value(key), &known);
        if (known)
                snprintf(hint, sizeof(hint), "; did you mean \"%s\"? A", known);
        config_show(key, shown);
        return config_refuse(&w->report, place,
                "unknown task type %s%s handler of one's own needs \"%s\" or \"%s\"", shown, hint,
                handler_key(section, own->option), handler_key(section, own->other));
}

static int check_own_name(struct config_walk *w, const struct config_option *o, const void *base, json_t *key,
        json_t *value, size_t place)
{
        const struct config_handlers *own = o->child->handlers;

        if (!json_object_get(value, handler_key(o->child, own->option)) &&
                !json_object_get(value, handler_key(o->child, own->other)))
                return refuse_word(w, o->child, key, place);
        if (!name_ok(json_string_value(key), LETTERS, HANDLER_NAME_MAX))
                return refuse_name(w, key, place, HANDLER_NAME_MAX, "");
        if (count_handlers(o, base) >= own->most)
                return config_refuse(
                        &w->report, place, "%s: more than %zu handlers of one's own", w->path, own->most);
        return 0;
}

int config_check_name(struct config_walk *w, const struct config_option *o, const void *base, json_t *key,
        json_t *value, size_t place)
{
        if (config_name_is_word(o->child, json_string_value(key)))
                return 0;
        if (o->child->handlers->most)
                return check_own_name(w, o, base, key, value, place);
        if (!name_ok(json_string_value(key), LETTERS ":/", PROJECT_NAME_MAX))
                return refuse_name(w, key, place, PROJECT_NAME_MAX, " : /");
        return 0;
}

/* ---- what is in them ---- */

int config_check_key(struct config_walk *w, const struct config_section *section,
        const struct config_option *o, const void *entry, size_t place)
{
        char homes[128] = "";

        if (config_option_belongs(section, o, entry))
                return 0;
        for (const struct config_only *only = section->onlys; only->option < section->n_options; only++) {
                size_t len = strlen(homes);

                if (o == &section->options[only->option])
                        snprintf(homes + len, sizeof(homes) - len, "%s%s", len ? " and to " : "",
                                only->name ? only->name : "handlers of one's own");
        }
        return config_refuse(
                &w->report, place, "unknown key \"%s\" in %s; it belongs to %s", o->key, w->path, homes);
}

static bool is_there(const struct config_option *o, const void *entry)
{
        return !config_value_absent(o, config_member(entry, o->offset));
}

int config_check_handler(
        struct config_walk *w, const struct config_section *section, const void *entry, size_t place)
{
        const struct config_handlers *own = section->handlers;
        const struct config_option *one = &section->options[own->option],
                                   *other = &section->options[own->other];

        if (!own->most || !is_there(one, entry) || !is_there(other, entry))
                return 0;
        return config_refuse(&w->report, place, "%s has both \"%s\" and \"%s\"; a handler is one of them",
                w->path, one->key, other->key);
}

/* ---- what they refer to ---- */

/* Moves from an object's place to that of a member's value, which is there. */
static json_t *go_to(struct locator *at, json_t *object, const char *key)
{
        const char *name;
        json_t *value;

        locate_bracket(at);
        json_object_foreach(object, name, value)
        {
                locate_skip(at);
                if (!strcmp(name, key))
                        return value;
                locate_skip(at);
        }
        return NULL;
}

static size_t place_of_type(const struct config_walk *w, json_t *file, const char *project, size_t index)
{
        struct locator at = {w->at.text, w->at.len, 0};

        go_to(&at, go_to(&at, go_to(&at, file, "projects"), project), "taskTypes");
        return locate_element(at, locate_next(&at), index);
}

static bool is_task_type(const struct config *cfg, const struct config_option *types, const char *name)
{
        return config_name_is_word(types->child, name) || config_entry_find(cfg, types, name, strlen(name));
}

static const char *nearest_type(const struct config *cfg, const struct config_option *types, const char *name)
{
        struct nearest n;

        nearest_init(&n, name);
        for (size_t i = 0; types->child->names[i]; i++)
                nearest_offer(&n, types->child->names[i]);
        for (size_t i = 0; i < cfg->n_task_types; i++)
                nearest_offer(&n, cfg->task_types[i].name);
        return n.best;
}

static int refuse_reference(
        struct config_walk *w, json_t *file, const struct config_project *p, size_t index, const char *known)
{
        CLEANUP(config_cleanup_json) json_t *name = json_string(p->task_types.items[index]);
        char shown[CONFIG_SHOWN];

        if (!name)
                return error_origin(-ENOMEM);
        config_show(name, shown);
        return config_refuse(&w->report, place_of_type(w, file, p->name, index),
                "projects.%s.taskTypes: %s is neither a task type nor a handler in taskTypes%s%s%s", p->name,
                shown, known ? "; did you mean \"" : "", known ? known : "", known ? "\"?" : "");
}

int config_check_references(struct config_walk *w, json_t *file, const struct config *cfg)
{
        const struct config_option *types = config_option_find(config_root_section, "taskTypes");

        for (size_t i = 0; i < cfg->n_projects; i++) {
                const struct config_strings *names = &cfg->projects[i].task_types;

                for (size_t k = 0; k < names->n; k++)
                        if (!is_task_type(cfg, types, names->items[k]))
                                return refuse_reference(w, file, &cfg->projects[i], k,
                                        nearest_type(cfg, types, names->items[k]));
        }
        return 0;
}
