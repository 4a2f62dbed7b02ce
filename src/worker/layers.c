/* The first map's entries are copied as they are. */
#include "worker/layers.h"

#include "base/error.h"
#include "wire/cursor.h"
#include "wire/pack.h"

#include <errno.h>

int layers_join(struct bytes own, const enum layer_state jail[JAIL_N_LAYERS], struct buf *out)
{
        struct cursor c = cursor_over(own);
        struct wire_value head;
        struct pack p;

        if (cursor_read(&c, &head) || head.tag != TAG_MAP)
                return error_origin(-EINVAL);
        pack_init(&p, out);
        pack_map(&p, head.count + JAIL_N_LAYERS);
        pack_raw(&p, (struct bytes){c.at, (size_t)(c.end - c.at)});
        for (int i = 0; i < JAIL_N_LAYERS; i++)
                pack_entry_text(&p, jail_layer_names[i], layer_words[jail[i]]);
        return p.error;
}
