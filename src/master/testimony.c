/* Looks through bytes that were checked to be well-formed. */
#include "master/testimony.h"

#include "wire/cursor.h"

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
