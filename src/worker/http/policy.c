/* The decisions, each with the sentence that says what was refused and what would open it. */
#include "worker/http/policy.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_part(char **part)
{
        curl_free(*part);
}

static int check_scheme(CURLU *url, bool *tls, struct wire_refusal *why)
{
        CLEANUP(free_part) char *scheme = NULL;

        if (curl_url_get(url, CURLUPART_SCHEME, &scheme, 0))
                return wire_refuse(why, WIRE_URL_REFUSED, "the URL has no scheme");
        *tls = !strcmp(scheme, "https");
        if (*tls || !strcmp(scheme, "http"))
                return 0;
        return wire_refuse(why, WIRE_URL_REFUSED,
                "the scheme %.32s is refused: only http and https may be used", scheme);
}

static int check_port(const struct settings *s, CURLU *url, struct target *target, struct wire_refusal *why)
{
        CLEANUP(free_part) char *text = NULL;
        unsigned long port;

        if (curl_url_get(url, CURLUPART_PORT, &text, CURLU_DEFAULT_PORT))
                return wire_refuse(why, WIRE_URL_REFUSED, "the URL has no port");
        port = strtoul(text, NULL, 10);
        target->port = port <= UINT16_MAX ? (uint16_t)port : 0;
        if (settings_lists_port(s, target->port))
                return 0;
        for (size_t i = 0; i < s->n_hosts; i++)
                if (allow_may_open_port(&s->hosts[i], target))
                        return 0;
        return wire_refuse(why, WIRE_URL_REFUSED,
                "port %lu of %.64s is refused: neither allowPorts nor allowHosts of taskTypes.http-request "
                "has it",
                port, target->host);
}

/* libcurl has decoded it and written numbers as dotted quads. What is left: letters' case, a dot at the end,
 * brackets. */
static int normalize_host(const char *host, struct target *target, struct wire_refusal *why)
{
        size_t n = strlen(host);

        if (*host == '[') {
                host++;
                n -= 2;
        }
        if (n && host[n - 1] == '.')
                n--;
        if (!n || n > HOST_MAX)
                return wire_refuse(why, WIRE_URL_REFUSED, "the URL's host is refused: it is no name");
        for (size_t i = 0; i < n; i++)
                target->host[i] = (char)tolower((unsigned char)host[i]);
        target->host[n] = 0;
        return 0;
}

static bool set_host(CURLU *url, const struct target *target)
{
        char bracketed[HOST_MAX + 3];

        if (!strchr(target->host, ':'))
                return !curl_url_set(url, CURLUPART_HOST, target->host, 0);
        snprintf(bracketed, sizeof(bracketed), "[%s]", target->host);
        return !curl_url_set(url, CURLUPART_HOST, bracketed, 0);
}

static int check_host(CURLU *url, struct target *target, struct wire_refusal *why)
{
        CLEANUP(free_part) char *zone = NULL;
        CLEANUP(free_part) char *host = NULL;
        int r;

        /* It would choose among links, which no part of the policy knows. */
        if (!curl_url_get(url, CURLUPART_ZONEID, &zone, 0))
                return wire_refuse(why, WIRE_URL_REFUSED, "an address with a zone is refused");
        if (curl_url_get(url, CURLUPART_HOST, &host, CURLU_PUNYCODE))
                return wire_refuse(why, WIRE_URL_REFUSED, "the URL's host is refused: it is no name");
        r = normalize_host(host, target, why);
        if (!r && !set_host(url, target))
                r = wire_refuse(
                        why, WIRE_URL_REFUSED, "the host %.64s is refused: it is no name", target->host);
        return r;
}

int policy_check_url(const struct settings *s, CURLU *url, struct target *out, struct wire_refusal *why)
{
        int r;

        *out = (struct target){0};
        r = check_scheme(url, &out->tls, why);
        if (!r)
                r = check_host(url, out, why);
        return r ? r : check_port(s, url, out, why);
}

int policy_check_address(const struct settings *s, const struct target *target,
        const struct sockaddr *address, struct wire_refusal *why)
{
        const struct address_range *range = address_range(address);
        bool port_listed = settings_lists_port(s, target->port);
        char text[ADDRESS_TEXT];

        address_format(address, text);
        if (address_port(address) != target->port)
                return wire_refuse(why, WIRE_URL_REFUSED, "port %u of %s is refused: it is not the URL's",
                        address_port(address), text);
        for (size_t i = 0; i < s->n_hosts; i++)
                if (allow_opens(&s->hosts[i], target, port_listed, address))
                        return 0;
        if (range && !(s->allow_private && range->is_private))
                return wire_refuse(why, WIRE_URL_REFUSED,
                        "%s is refused: %s (%s), and taskTypes.http-request.allowHosts does not open it",
                        text, range->kind, range->text);
        if (!port_listed)
                return wire_refuse(why, WIRE_URL_REFUSED,
                        "port %u of %s is refused: neither allowPorts nor allowHosts of "
                        "taskTypes.http-request has it",
                        target->port, text);
        return 0;
}
