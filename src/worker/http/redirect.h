/* What becomes of a request at a redirect: RFC 9110's rules, and what every browser does with POST. */
#pragma once

#include "worker/http/allow.h"

/* Whether a status is a redirect to a Location that is followed. */
bool redirect_is(long status);

/* Whether the next request is a GET without the body. */
bool redirect_becomes_get(long status, const char *method);

/* Whether the next request may carry credentials meant for the last one: scheme, host and port are the same.
 */
bool redirect_stays(const struct target *from, const struct target *to);
