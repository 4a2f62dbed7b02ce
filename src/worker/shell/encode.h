/* What a stream's or a file's bytes become in the result. */
#pragma once

#include "wire/pack.h"

/* As in the command options' encoding. */
enum encoding { ENCODING_UTF8, ENCODING_BYTES, ENCODING_BASE64 };

/* utf8: a string, each byte that belongs to no character as U+FFFD. bytes: bin. base64: a string. */
void encode_value(struct pack *p, enum encoding encoding, struct bytes bytes);
/* A map's key: always a string. */
void encode_key(struct pack *p, const char *text);
