/* Two passes: how much it is, then the copy. */
#include "worker/shell/strlist.h"

#include "wire/cursor.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>

bool strings_is_text(const struct wire_value *v)
{
        return v->tag == TAG_STR && !(v->bytes.len && memchr(v->bytes.data, 0, v->bytes.len));
}

void strings_fini(struct strings *s)
{
        free(s->items);
        *s = (struct strings){0};
}

/* How many bytes of text there are; -1: something else is among it. */
static ssize_t measure(struct cursor c, uint32_t n)
{
        ssize_t total = 0;

        for (uint32_t i = 0; i < n; i++) {
                struct wire_value v;

                if (cursor_read(&c, &v) || !strings_is_text(&v))
                        return -1;
                total += (ssize_t)v.bytes.len + 1;
        }
        return total;
}

int strings_allocate(struct strings *s, size_t n, size_t text)
{
        s->items = malloc((n + 1) * sizeof(*s->items) + text);
        if (!s->items)
                return -ENOMEM;
        s->n = n;
        s->items[n] = NULL;
        return 0;
}

int strings_from_array(struct strings *s, struct bytes array, const char *what, enum wire_code fault,
        struct wire_refusal *why)
{
        struct cursor c = cursor_over(array);
        struct wire_value head = {.tag = TAG_ARRAY};
        ssize_t total;
        char *at;

        *s = (struct strings){0};
        if (array.len && (cursor_read(&c, &head) || head.tag != TAG_ARRAY))
                return wire_refuse(why, fault, "%s is no array", what);
        total = measure(c, head.count);
        if (total < 0)
                return wire_refuse(
                        why, fault, "%s holds something that is no string, or a string with a NUL", what);
        if (strings_allocate(s, head.count, (size_t)total))
                return -ENOMEM;
        at = (char *)(s->items + s->n + 1);
        for (size_t i = 0; i < s->n; i++) {
                struct bytes text;

                cursor_str(&c, &text);
                s->items[i] = at;
                if (text.len)
                        memcpy(at, text.data, text.len);
                at[text.len] = '\0';
                at += text.len + 1;
        }
        return 0;
}
