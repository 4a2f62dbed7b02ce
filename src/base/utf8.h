/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
#pragma once

#include <stddef.h>

/* Bytes of the character at text, which a NUL ends; 0: it is none. Reads no further than the NUL. */
size_t utf8_character(const char *text);

/* What is no character becomes question marks, a character cut at the end included. */
void utf8_repair(char *text);
