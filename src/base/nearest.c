/* Edit distance with swaps (optimal string alignment), three rows at a time. */
#include "base/nearest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { WORD_MAX = 64 };

static size_t min(size_t a, size_t b)
{
        return a < b ? a : b;
}

static bool same(char a, char b)
{
        return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
        size_t rows[3][WORD_MAX + 1];

        for (size_t j = 0; j <= b_len; j++)
                rows[0][j] = j;
        for (size_t i = 1; i <= a_len; i++) {
                size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

                row[0] = i;
                for (size_t j = 1; j <= b_len; j++) {
                        row[j] = min(above[j], row[j - 1]) + 1;
                        row[j] = min(row[j], above[j - 1] + !same(a[i - 1], b[j - 1]));
                        if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                                row[j] = min(row[j], above2[j - 2] + 1);
                }
        }
        return rows[a_len % 3][b_len];
}

void nearest_init(struct nearest *n, const char *word)
{
        *n = (struct nearest){.word = word};
}

void nearest_offer(struct nearest *n, const char *candidate)
{
        size_t len = strlen(n->word), c_len = strlen(candidate), longer = len > c_len ? len : c_len, d;

        if (longer > WORD_MAX)
                return;
        d = distance(n->word, len, candidate, c_len);
        if (d > (longer + 2) / 3 || d >= longer || (n->best && d >= n->distance))
                return;
        n->best = candidate;
        n->distance = d;
}
