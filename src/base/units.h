/*
 * Durations and sizes as people write them: "100ms" "60s" "5m" "1h" "2d"; "512B" "64KiB" "10MB" "1GiB" "1TiB". A plain
 * integer is milliseconds, or bytes. KB, MB, GB and TB are powers of 1000; no fractions, no spaces, no sign.
 */
#pragma once

#include <stdint.h>

enum units_condition {
        UNITS_INVALID = 1, /* not a number with one of the units */
        UNITS_OVERFLOW,    /* does not fit 63 bits */
};

enum { UNITS_TEXT = 32 };

/* 0 and *out, or an enum units_condition; *out is then untouched. */
int units_parse_ms(const char *text, int64_t *out);
int units_parse_bytes(const char *text, int64_t *out);

/* The shortest exact text: 90000 is "90s", 3600000 is "1h"; 1048576 is "1MiB", 1000 is "1000B". Not for negatives. */
void units_format_ms(int64_t ms, char text[static UNITS_TEXT]);
void units_format_bytes(int64_t bytes, char text[static UNITS_TEXT]);
