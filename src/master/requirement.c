/* Strict is what holds without a word of the operator's; each word is about one layer. */
#include "master/requirement.h"

#include "wire/cursor.h"

#include <stdio.h>
#include <string.h>

static bool is(struct bytes text, const char *word)
{
        return text.len == strlen(word) && !memcmp(text.data, word, text.len);
}

static bool is_missed(const struct config_security *c, bool network, struct bytes name, struct bytes state)
{
        if (is(state, "enforced") || (network && is(name, "netNamespace")))
                return false;
        return config_demands_layer(c, (const char *)name.data, name.len);
}

static size_t append_layer(char *text, size_t at, struct bytes name, struct bytes state)
{
        int n = snprintf(text + at, REQUIREMENT_TEXT - at, "%s%.*s is %.*s", at ? ", " : "", (int)name.len,
                (const char *)name.data, (int)state.len, (const char *)state.data);

        return n > 0 && (size_t)n < REQUIREMENT_TEXT - at ? at + (size_t)n : at;
}

int requirement_check(const struct config_security *c, bool network, struct bytes layers, char text[static REQUIREMENT_TEXT])
{
        static const char advice[] = ", and security asks for it: see poppo doctor";
        struct cursor all = cursor_over(layers);
        struct bytes name, state;
        struct wire_value map;
        size_t at = 0;
        int r = cursor_read(&all, &map);

        for (uint32_t i = 0; !r && i < map.count && !cursor_str(&all, &name) && !cursor_str(&all, &state); i++)
                if (is_missed(c, network, name, state) && at + sizeof(advice) < REQUIREMENT_TEXT / 2)
                        at = append_layer(text, at, name, state);
        if (at)
                snprintf(text + at, REQUIREMENT_TEXT - at, "%s", advice);
        return at > 0;
}
