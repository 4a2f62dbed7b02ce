/* Checks of entries with names: what they may be called, what belongs into them, what they refer to. Inside
 * config/ only. */
#pragma once

#include "config/walk.h"

/* All of them: 0, CONFIG_REFUSED, -ENOMEM. w->path is the section's, or the entry's once it is entered. */

/* May this be the next entry of o's? place: of its name. */
int config_check_name(struct config_walk *w, const struct config_option *o, const void *base, json_t *key,
        json_t *value, size_t place);

/* Does this option belong into this entry? place: of its key. */
int config_check_key(struct config_walk *w, const struct config_section *section,
        const struct config_option *o, const void *entry, size_t place);

/* An entry is complete: has it one of two options, where it needs that? place: of the later one. */
int config_check_handler(
        struct config_walk *w, const struct config_section *section, const void *entry, size_t place);

/* The file is complete: is what it refers to there? */
int config_check_references(struct config_walk *w, json_t *file, const struct config *cfg);
