/* Looks through bytes that were checked to be well-formed. */
#include "master/testimony.h"

#include "wire/cursor.h"

#include <stdio.h>
#include <string.h>

int testimony_check_layers(struct bytes layers, struct wire_refusal *why)
{
        struct cursor c = cursor_over(layers);
        struct wire_value map;
        struct bytes name, state;
        int r = cursor_read(&c, &map);

        for (uint32_t i = 0; !r && i < map.count; i++)
                if (cursor_str(&c, &name) || cursor_str(&c, &state) ||
                        wire_word_index("enforced|partial|absent", state) < 0)
                        r = wire_refuse(why, WIRE_BAD_FRAME, "layers must be enforced, partial or absent");
        return r;
}

static bool same(struct bytes a, struct bytes b)
{
        return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

bool testimony_same_layers_but(struct bytes a, struct bytes b, const char *but)
{
        struct cursor ca = cursor_over(a), cb = cursor_over(b);
        struct wire_value ma, mb;
        struct bytes na, nb, sa, sb;

        if (cursor_read(&ca, &ma) || cursor_read(&cb, &mb) || ma.count != mb.count)
                return false;
        for (uint32_t i = 0; i < ma.count; i++) {
                if (cursor_str(&ca, &na) || cursor_str(&cb, &nb) || cursor_str(&ca, &sa) || cursor_str(&cb, &sb))
                        return false;
                if (!same(na, nb) || (!same(sa, sb) && !wire_str_is(na, but)))
                        return false;
        }
        return true;
}

void testimony_layers_text(struct bytes layers, char *out, size_t size)
{
        struct cursor c = cursor_over(layers);
        struct wire_value map;
        struct bytes name, state;
        size_t at = 0;

        *out = 0;
        for (uint32_t i = cursor_read(&c, &map) ? 0 : map.count; i && !cursor_str(&c, &name) && !cursor_str(&c, &state); i--) {
                int n = snprintf(out + at, size - at, "%s%.*s %.*s", at ? ", " : "", (int)name.len, (const char *)name.data,
                        (int)state.len, (const char *)state.data);

                at += n > 0 && (size_t)n < size - at ? (size_t)n : 0;
        }
}

int testimony_check_logs(struct bytes logs, struct wire_refusal *why)
{
        struct cursor c = cursor_over(logs);
        struct wire_value array;
        int r = cursor_read(&c, &array);

        for (uint32_t i = 0; !r && i < array.count; i++) {
                struct wire_log_line line;
                struct bytes raw;

                r = cursor_skip(&c, &raw);
                if (!r)
                        r = wire_decode(WIRE_MESSAGE(log_line), raw, &line, why);
        }
        return r;
}
