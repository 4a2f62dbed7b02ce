/* Tables of text: collected first, since widths are known only at the end. */
#include "cli/output.h"

#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct table {
        size_t columns, n_rows, cap;
        size_t width[TABLE_COLUMNS];
        char *(*rows)[TABLE_COLUMNS];
};

struct table *table_new(size_t columns)
{
        struct table *t = calloc(1, sizeof(*t));

        assert(columns <= TABLE_COLUMNS);
        if (t)
                t->columns = columns;
        return t;
}

void table_free(struct table *t)
{
        for (size_t i = 0; t && i < t->n_rows; i++)
                for (size_t c = 0; c < t->columns; c++)
                        free(t->rows[i][c]);
        if (t)
                free(t->rows);
        free(t);
}

/* Characters, not bytes: what is no continuation byte begins one. */
static size_t text_width(const char *text)
{
        size_t n = 0;

        for (; *text; text++)
                n += (*text & 0xc0) != 0x80;
        return n;
}

static bool grow(struct table *t)
{
        size_t cap = t->cap ? t->cap * 2 : 16;
        void *rows = t->n_rows < t->cap ? t->rows : realloc(t->rows, cap * sizeof(*t->rows));

        if (!rows)
                return false;
        t->cap = t->n_rows < t->cap ? t->cap : cap;
        t->rows = rows;
        return true;
}

void table_row(struct table *t, const char *const *cells)
{
        if (!t || !grow(t))
                return;
        for (size_t c = 0; c < t->columns; c++) {
                const char *text = cells[c] ? cells[c] : "";
                size_t width = text_width(text);

                t->rows[t->n_rows][c] = strdup(text);
                t->width[c] = width > t->width[c] ? width : t->width[c];
        }
        t->n_rows++;
}

/* Blanks are printed only once something follows them: no line ends in one. */
static void print_cell(const struct table *t, const char *text, size_t column, bool right, int *blanks)
{
        int padding = (int)(t->width[column] - text_width(text));

        *blanks += right ? padding : 0;
        if (*text) {
                printf("%*s%s", *blanks, "", text);
                *blanks = 0;
        }
        *blanks += (right ? 0 : padding) + 2;
}

void table_print(const struct table *t, unsigned int right)
{
        for (size_t i = 0; t && i < t->n_rows; i++) {
                int blanks = 0;

                for (size_t c = 0; c < t->columns; c++)
                        print_cell(t, t->rows[i][c] ? t->rows[i][c] : "", c, right >> c & 1, &blanks);
                putchar('\n');
        }
}
