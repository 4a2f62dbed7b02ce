/* The sentences of struct config_error: place in front, quotes made harmless. Inside config/ only. */
#pragma once

#include "config/config.h"

#include <jansson.h>

struct config_report {
        const char *file, *text; /* the name for people, and what was read */
        struct config_error *err;
};

/* "FILE:LINE:COLUMN: ..." with the place of this offset of the text. Returns CONFIG_REFUSED. */
int config_refuse(const struct config_report *rep, size_t offset, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* "FILE: ...", for what has no place. Returns r. */
int config_fail(const struct config_report *rep, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

enum { CONFIG_SHOWN = 72 };

/* How a value is called in a sentence: scalars as they stand, cut to the bound; "an object", "an array". */
void config_show(json_t *value, char out[static CONFIG_SHOWN]);
