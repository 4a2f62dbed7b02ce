/* 300 offers a choice, 304 has no Location, 305 and 306 are of the past: none of these is followed. */
#include "worker/http/redirect.h"

#include <string.h>

bool redirect_is(long status)
{
        return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool redirect_becomes_get(long status, const char *method)
{
        if (status == 303)
                return strcmp(method, "GET") && strcmp(method, "HEAD");
        return (status == 301 || status == 302) && !strcmp(method, "POST");
}

bool redirect_stays(const struct target *from, const struct target *to)
{
        return from->tls == to->tls && from->port == to->port && !strcmp(from->host, to->host);
}
