/* The table of well-formed byte sequences, and its two uses. */
#include "base/utf8.h"

#include <string.h>

enum { CHARACTER_MAX = 4 };

size_t utf8_length(const void *text, size_t len)
{
        static const struct {
                unsigned char first, last, low, high, bytes; /* of the lead byte; of the one behind it */
        } forms[] = {{0x00, 0x7f, 0, 0, 1}, {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
        const unsigned char *at = text;

        for (size_t i = 0; len && i < sizeof(forms) / sizeof(forms[0]); i++) {
                if (at[0] < forms[i].first || at[0] > forms[i].last)
                        continue;
                if (forms[i].bytes > len || (forms[i].bytes > 1 && (at[1] < forms[i].low || at[1] > forms[i].high)))
                        return 0;
                for (size_t k = 2; k < forms[i].bytes; k++)
                        if ((at[k] & 0xc0) != 0x80)
                                return 0;
                return forms[i].bytes;
        }
        return 0;
}

size_t utf8_character(const char *text)
{
        return utf8_length(text, strnlen(text, CHARACTER_MAX));
}

void utf8_repair(char *text)
{
        while (*text) {
                size_t n = utf8_character(text);

                if (!n)
                        *text = '?';
                text += n ? n : 1;
        }
}
