/* The way is known backwards, so it is written on the way back from its begin. */
#include "worker/js/path.h"

#include "wire/message.h"
#include "worker/js/text.h"

#include <stdio.h>

/* What fits of it. */
static void path_add(struct path *p, struct bytes s)
{
        s.len = text_part(s, sizeof(p->text) - p->len);
        text_write_utf8((uint8_t *)p->text + p->len, s);
        p->len += text_utf8_size(s);
}

void path_fill(struct path *p, const struct step *s)
{
        char index[16];

        if (!s->up) {
                path_add(p, wire_str("result"));
                return;
        }
        path_fill(p, s->up);
        if (s->key.data) {
                path_add(p, wire_str("."));
                path_add(p, s->key);
        } else {
                snprintf(index, sizeof(index), "[%u]", s->index);
                path_add(p, wire_str(index));
        }
}
