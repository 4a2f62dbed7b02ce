/* What poppod-http.so exports: one table. Both sides are built together; the version tells a stray object of
 * another build. */
#pragma once

#include "wire/message.h"

#define HTTP_OBJECT_SYMBOL "poppod_http_object"

struct http_object {
        const char *version;
        int (*load)(const struct wire_spawn_setup *setup);
        __attribute__((noreturn)) void (*run)(int channel_fd, struct bytes layers);
};
