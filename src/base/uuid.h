/* Identifiers of tasks: UUID version 7 (RFC 9562), ordered by the time of their making. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UUID_TEXT = 36 };

struct uuid {
        uint8_t bytes[16];
};

/* Never the same twice in one process, and never smaller than the one before, even when the wall clock steps back. */
struct uuid uuid_new(void);

/* Writes 36 characters and a NUL. */
void uuid_format(const struct uuid *id, char text[static UUID_TEXT + 1]);

/* False unless text is exactly 36 characters of 8-4-4-4-12 hexadecimal digits. */
bool uuid_parse(const char *text, size_t len, struct uuid *out);
