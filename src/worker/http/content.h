/* From a body and what the response says that it is, to a value. */
#pragma once

#include "wire/codec.h"
#include "wire/pack.h"
#include "worker/http/request.h"

enum content_form { CONTENT_JSON, CONTENT_TEXT, CONTENT_BYTES };

struct content {
        enum content_form form;
        char charset[32]; /* lower-case; "" if none was said */
        bool is_sure;     /* false: nobody said, so what is no text is bytes */
};

/* What a body becomes, by its Content-Type (NULL: none) and what the task asked for. */
struct content content_of(const char *content_type, enum response_type wanted);

/* Packs the body. Positive: it is not what it was to be, or the value does not fit; what was packed is of no
 * use then. */
int content_pack(struct pack *p, const struct content *content, struct bytes body, struct wire_refusal *why);

/* Packs what a server says of itself, which may be any bytes: UTF-8 stays, anything else is taken for
 * Latin-1. */
void content_pack_words(struct pack *p, struct bytes text);
