/* A section's struct as a whole: filled with defaults, emptied, extended by an entry. Inside config/ only. */
#pragma once

#include "config/schema.h"

/* Fills a zeroed struct. 0 or -ENOMEM; config_section_fini() frees it either way. */
int config_section_defaults(const struct config_section *section, void *base);
void config_section_fini(const struct config_section *section, void *base);

/* Appends an entry of this name, with defaults, to the EACH member o of base. 0 and *entry, or -ENOMEM. */
int config_entry_add(void *base, const struct config_option *o, const char *name, void **entry);

/* By name, once all are there: config_entry_find relies on it. */
void config_entries_sort(void *base, const struct config_option *o);

/* NULL if there is none. */
void *config_entry_find(const void *base, const struct config_option *o, const char *name, size_t len);
