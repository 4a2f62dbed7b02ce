/* What `security` asks of a layer, by the layer's name: its options are called like the layers. */
#include "config/schema.h"

#include <string.h>

bool config_demands_layer(const struct config_security *c, const char *layer, size_t len)
{
        const struct config_section *section = config_option_find(config_root_section, "security")->child;
        int demand = CONFIG_ABSENT;

        for (size_t i = 0; i < section->n_options; i++) {
                const struct config_option *o = &section->options[i];

                if (strlen(o->key) == len && !memcmp(o->key, layer, len))
                        demand = *(const int *)config_member(c, o->offset);
        }
        return (demand == CONFIG_ABSENT ? c->require : demand) == CONFIG_DEMAND_STRICT;
}
