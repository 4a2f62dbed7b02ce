/* From parsed JSON to the struct, in step with the text it came from. Inside config/ only. */
#pragma once

#include "config/locate.h"
#include "config/report.h"
#include "config/schema.h"

struct config_walk {
        struct config_report report;
        struct locator at;
        char path[192]; /* of the section that is being read; "" at the top */
};

/* Reads the file's object over the defaults in out. 0, CONFIG_REFUSED, -ENOMEM. */
int config_walk_file(struct config_walk *w, json_t *file, struct config *out);

/* jansson gives keys as C strings; as JSON strings they can be shown in sentences like any other. For CLEANUP. */
void config_cleanup_json(json_t **value);
