/* Writing values and sections as JSON. Inside config/ only. */
#pragma once

#include "config/schema.h"

#include <stdio.h>

/* Without a line break behind it. indent: the section's own level; negative: all on one line, for logs, without
 * what is secret. */
void config_write_section(FILE *out, const struct config_section *section, const void *base, int indent);

/* What stands for a secret value in logs. */
#define CONFIG_HIDDEN "\"(not shown)\""

/* The JSON text of one value, the caller's to free; NULL for an absent one. 0 or -ENOMEM. */
int config_value_text(const struct config_option *o, const void *base, char **text);
