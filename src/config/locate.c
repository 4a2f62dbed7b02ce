/* The position scanner: it knows strings and brackets, nothing else of JSON. */
#include "config/locate.h"

#include <stdbool.h>
#include <string.h>

static bool at_any(const struct locator *l, const char *set)
{
        return l->at < l->len && l->text[l->at] && strchr(set, l->text[l->at]);
}

size_t locate_next(struct locator *l)
{
        while (at_any(l, " \t\r\n,:"))
                l->at++;
        return l->at;
}

void locate_bracket(struct locator *l)
{
        locate_next(l);
        if (at_any(l, "{}[]"))
                l->at++;
}

static void skip_string(struct locator *l)
{
        for (l->at++; l->at < l->len && l->text[l->at] != '"'; l->at++)
                if (l->text[l->at] == '\\' && l->at + 1 < l->len)
                        l->at++;
        if (l->at < l->len)
                l->at++;
}

static void skip_word(struct locator *l)
{
        while (l->at < l->len && !at_any(l, " \t\r\n,:{}[]\""))
                l->at++;
}

void locate_skip(struct locator *l)
{
        size_t depth = 0;

        do {
                locate_next(l);
                if (at_any(l, "\"")) {
                        skip_string(l);
                } else if (at_any(l, "{}[]")) {
                        depth += at_any(l, "{[") ? 1 : (size_t)-1;
                        l->at++;
                } else {
                        skip_word(l);
                }
        } while (depth && l->at < l->len);
}

size_t locate_element(struct locator l, size_t place, size_t index)
{
        l.at = place;
        locate_bracket(&l);
        for (size_t i = 0; i < index; i++)
                locate_skip(&l);
        return locate_next(&l);
}

void locate_place(const char *text, size_t offset, int *line, int *column)
{
        *line = *column = 1;
        for (size_t i = 0; i < offset; i++) {
                if (text[i] == '\n') {
                        ++*line;
                        *column = 1;
                } else if (((unsigned char)text[i] & 0xc0) != 0x80) {
                        ++*column;
                }
        }
}
