/* Walks objects and text together: each key is looked up, each value handed to its type, each refusal placed. */
#include "config/walk.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/nearest.h"
#include "config/entries.h"
#include "config/section.h"
#include "config/value.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Where each of a section's options stands; 0 = not in the file, for a key never stands first. */
struct places {
        size_t of[CONFIG_OPTIONS_MAX];
};

static int read_section(struct config_walk *w, const struct config_section *section, void *base, json_t *object);

static const char *dot(const struct config_walk *w)
{
        return *w->path ? "." : "";
}

void config_cleanup_json(json_t **value)
{
        json_decref(*value);
}

/* ---- refusals ---- */

/* The section that has this key, if it is another one's: a right key in the wrong place. */
static const char *home_of(const struct config_section *section, const char *key)
{
        const char *found = config_option_find(section, key) ? section->path : NULL;

        for (size_t i = 0; i < section->n_options && !found; i++)
                if (section->options[i].child)
                        found = home_of(section->options[i].child, key);
        return found;
}

static int refuse_key(struct config_walk *w, const struct config_section *section, json_t *key, size_t place)
{
        const char *word = json_string_value(key), *home = home_of(config_root_section, word);
        char shown[CONFIG_SHOWN], hint[128] = "";
        struct nearest n;

        nearest_init(&n, word);
        for (size_t i = 0; i < section->n_options; i++)
                nearest_offer(&n, section->options[i].key);
        if (home)
                snprintf(hint, sizeof(hint), "; it belongs to %s", *home ? home : "the top level");
        else if (n.best)
                snprintf(hint, sizeof(hint), "; did you mean \"%s\"?", n.best);
        config_show(key, shown);
        return config_refuse(&w->report, place, "unknown key %s%s%s%s", shown, *w->path ? " in " : "", w->path, hint);
}

static int show_fault(const struct config_fault *fault, char shown[static CONFIG_SHOWN])
{
        CLEANUP(config_cleanup_json) json_t *key = fault->key ? json_string(fault->key) : json_incref(fault->value);

        if (!key)
                return error_origin(-ENOMEM);
        config_show(key, shown);
        return 0;
}

static int refuse_value(struct config_walk *w, const struct config_option *o, const struct config_fault *fault,
        size_t place)
{
        CLEANUP(cleanup_free) char *wanted = NULL;
        char shown[CONFIG_SHOWN], hint[96] = "";
        bool whole = fault->index == CONFIG_WHOLE;
        size_t len;
        FILE *out = open_memstream(&wanted, &len);

        if (!out)
                return error_origin(-errno);
        o->type->expects(out, o);
        if (fclose(out))
                return error_origin(-ENOMEM);
        if (fault->known)
                snprintf(hint, sizeof(hint), "; did you mean \"%s\"?", fault->known);
        if (show_fault(fault, shown) < 0)
                return error_origin(-ENOMEM);
        if (!whole)
                place = locate_element(w->at, place, fault->index);
        return config_refuse(&w->report, place, "%s%s%s must be %s, not %s%s%s", w->path, dot(w), o->key, wanted,
                whole ? "" : "with ", shown, hint);
}

/* ---- values ---- */

static int read_value(struct config_walk *w, const struct config_option *o, void *member, json_t *value, size_t place)
{
        struct config_fault fault;
        int r;

        config_value_reset(o, member);
        r = o->type->read(member, o, value, &fault);
        locate_skip(&w->at);
        return r == CONFIG_REFUSED ? refuse_value(w, o, &fault, place) : r;
}

static int enter(struct config_walk *w, const char *key, json_t *value, size_t place)
{
        size_t len = strlen(w->path);

        snprintf(w->path + len, sizeof(w->path) - len, "%s%s", dot(w), key);
        if (!json_is_object(value)) {
                char shown[CONFIG_SHOWN];

                config_show(value, shown);
                return config_refuse(&w->report, place, "%s must be an object, not %s", w->path, shown);
        }
        return 0;
}

static int read_child(struct config_walk *w, const char *key, const struct config_section *section, void *base,
        json_t *value, size_t place)
{
        size_t len = strlen(w->path);
        int r = enter(w, key, value, place);

        if (!r)
                r = read_section(w, section, base, value);
        w->path[len] = 0;
        return r;
}

/* ---- entries with names ---- */

static int read_entry(struct config_walk *w, const struct config_option *o, void *base, json_t *key, json_t *value)
{
        size_t place = locate_next(&w->at);
        void *entry;
        int r = config_check_name(w, o, base, key, value, place);

        if (!r)
                r = config_entry_add(base, o, json_string_value(key), &entry);
        if (r)
                return r;
        locate_skip(&w->at);
        place = locate_next(&w->at);
        return read_child(w, json_string_value(key), o->child, entry, value, place);
}

static int read_entries(struct config_walk *w, const struct config_option *o, void *base, json_t *object)
{
        const char *name;
        json_t *value;
        int r = 0;

        locate_bracket(&w->at);
        json_object_foreach(object, name, value) {
                CLEANUP(config_cleanup_json) json_t *key = json_string(name);

                r = key ? read_entry(w, o, base, key, value) : error_origin(-ENOMEM);
                if (r)
                        return r;
        }
        locate_bracket(&w->at);
        config_entries_sort(base, o);
        return 0;
}

static int read_each(struct config_walk *w, const struct config_option *o, void *base, json_t *value, size_t place)
{
        size_t len = strlen(w->path);
        int r = enter(w, o->key, value, place);

        if (!r)
                r = read_entries(w, o, base, value);
        w->path[len] = 0;
        return r;
}

/* ---- sections ---- */

static int read_option(struct config_walk *w, const struct config_option *o, void *base, json_t *value)
{
        size_t place = locate_next(&w->at);
        void *member = config_member(base, o->offset);

        if (o->kind == CONFIG_EACH)
                return read_each(w, o, base, value, place);
        if (o->kind == CONFIG_NEST)
                return read_child(w, o->key, o->child, member, value, place);
        return read_value(w, o, member, value, place);
}

static int read_member(struct config_walk *w, const struct config_section *section, void *base, json_t *key,
        json_t *value, struct places *places)
{
        const struct config_option *o = config_option_find(section, json_string_value(key));
        size_t place = locate_next(&w->at);
        int r;

        if (!o)
                return refuse_key(w, section, key, place);
        r = config_check_key(w, section, o, base, place);
        if (r)
                return r;
        places->of[o - section->options] = place;
        locate_skip(&w->at);
        return read_option(w, o, base, value);
}

/* Orders are between numbers only. */
static double number_of(const struct config_option *o, const void *base)
{
        const void *member = config_member(base, o->offset);

        return o->type == &config_type_REAL ? *(const double *)member : (double)*(const int64_t *)member;
}

static int check_order(struct config_walk *w, const struct config_section *section, const void *base,
        const struct config_order *order, const struct places *places)
{
        const struct config_option *low = &section->options[order->low], *high = &section->options[order->high];
        double a = number_of(low, base), b = number_of(high, base);
        size_t low_at = places->of[order->low], high_at = places->of[order->high];

        if (a <= b || b == 0)
                return 0;
        /* The later of the two is where the contradiction shows; at least one of them is in the file. */
        return config_refuse(&w->report, low_at > high_at ? low_at : high_at,
                "%s: %s (%.15g%s) must not be above %s (%.15g%s)", w->path, low->key, a, low_at ? "" : ", the default",
                high->key, b, high_at ? "" : ", the default");
}

/* Of the two options that exclude each other. */
static size_t later_place(const struct config_section *section, const struct places *places)
{
        size_t one = places->of[section->handlers->option], other = places->of[section->handlers->other];

        return one > other ? one : other;
}

static int read_section(struct config_walk *w, const struct config_section *section, void *base, json_t *object)
{
        struct places places = {0};
        const char *name;
        json_t *value;
        int r = 0;

        locate_bracket(&w->at);
        json_object_foreach(object, name, value) {
                CLEANUP(config_cleanup_json) json_t *key = json_string(name);

                r = key ? read_member(w, section, base, key, value, &places) : error_origin(-ENOMEM);
                if (r)
                        return r;
        }
        locate_bracket(&w->at);
        for (const struct config_order *order = section->orders; order->low != order->high && !r; order++)
                r = check_order(w, section, base, order, &places);
        return r ? r : config_check_handler(w, section, base, later_place(section, &places));
}

int config_walk_file(struct config_walk *w, json_t *file, struct config *out)
{
        char shown[CONFIG_SHOWN];

        if (json_is_object(file)) {
                int r = read_section(w, config_root_section, out, file);

                return r ? r : config_check_references(w, file, out);
        }
        config_show(file, shown);
        return config_refuse(&w->report, locate_next(&w->at), "the file must hold an object, not %s", shown);
}
