/*
 * Where a request may go. Decided twice for every hop: by its URL before anything is done, and by each
 * address that the name turned out to have, after it was resolved and before it is connected to.
 *
 * libcurl may use a connection again without asking for its address. Then it was opened for the same scheme,
 * host and port under the same settings (engine.h), and nothing else is what the decision depends on.
 */
#pragma once

#include "wire/codec.h"
#include "worker/http/settings.h"

#include <curl/curl.h>

/* Reads the target from a parsed URL and gives the URL the host in the one spelling that everything is
 * decided by. Positive: refused. */
int policy_check_url(const struct settings *s, CURLU *url, struct target *out, struct wire_refusal *why);

/* Positive: refused. */
int policy_check_address(const struct settings *s, const struct target *target,
        const struct sockaddr *address, struct wire_refusal *why);
