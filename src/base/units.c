/* Units are two tables, the largest first; parsing finds a suffix in them, formatting the largest divisor. */
#include "base/units.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct unit {
        const char *name;
        int64_t factor;
};

static const struct unit durations[] = {
        {"d", 24 * 60 * 60 * 1000},
        {"h", 60 * 60 * 1000},
        {"m", 60 * 1000},
        {"s", 1000},
        {"ms", 1},
        {NULL, 0},
};

static const struct unit binary_sizes[] = {
        {"TiB", INT64_C(1) << 40},
        {"GiB", 1 << 30},
        {"MiB", 1 << 20},
        {"KiB", 1 << 10},
        {"B", 1},
        {NULL, 0},
};

static const struct unit decimal_sizes[] = {
        {"TB", INT64_C(1000000000000)},
        {"GB", 1000000000},
        {"MB", 1000000},
        {"KB", 1000},
        {NULL, 0},
};

static int64_t factor_of(const struct unit *table, const char *name)
{
        for (; table->name; table++)
                if (!strcmp(table->name, name))
                        return table->factor;
        return 0;
}

/* Passes over the digits. */
static int parse_number(const char **text, int64_t *out)
{
        int64_t value = 0;
        const char *p = *text;

        for (; *p >= '0' && *p <= '9'; p++)
                if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value))
                        return UNITS_OVERFLOW;
        if (p == *text)
                return UNITS_INVALID;
        *text = p;
        *out = value;
        return 0;
}

static int parse(const char *text, const struct unit *table, const struct unit *other, int64_t *out)
{
        int64_t value, factor = 1;
        int r = parse_number(&text, &value);

        if (r)
                return r;
        if (*text) {
                factor = factor_of(table, text);
                if (!factor && other)
                        factor = factor_of(other, text);
                if (!factor)
                        return UNITS_INVALID;
        }
        if (__builtin_mul_overflow(value, factor, &value))
                return UNITS_OVERFLOW;
        *out = value;
        return 0;
}

int units_parse_ms(const char *text, int64_t *out)
{
        return parse(text, durations, NULL, out);
}

int units_parse_bytes(const char *text, int64_t *out)
{
        return parse(text, binary_sizes, decimal_sizes, out);
}

static void format(int64_t value, const struct unit *table, char *text)
{
        /* Zero is a multiple of everything: it takes the smallest unit, which is the last one. */
        while (table->factor > 1 && (!value || value % table->factor))
                table++;
        snprintf(text, UNITS_TEXT, "%" PRId64 "%s", value / table->factor, table->name);
}

void units_format_ms(int64_t ms, char text[static UNITS_TEXT])
{
        format(ms, durations, text);
}

void units_format_bytes(int64_t bytes, char text[static UNITS_TEXT])
{
        format(bytes, binary_sizes, text);
}
