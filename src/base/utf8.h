/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#pragma once

#include <stddef.h>

/* Bytes of the character that these bytes begin with; 0: it is none, or cut. */
size_t utf8_length(const void *text, size_t len);

/* The same of a text that a NUL ends. Reads no further than the NUL, which is no character. */
size_t utf8_character(const char *text);

/* What is no character becomes question marks, a character cut at the end included. */
void utf8_repair(char *text);
