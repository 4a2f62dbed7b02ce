/* Reading entries of allowHosts, and what they match. */
#include "worker/http/allow.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static bool parse_port(const char *text, uint16_t *out)
{
        char *end;
        unsigned long port = strtoul(text, &end, 10);

        if (*text < '0' || *text > '9' || *end || !port || port > UINT16_MAX)
                return false;
        *out = (uint16_t)port;
        return true;
}

/* Cuts the port off. Of the colons in an address without brackets none begins one. */
static bool take_port(char *text, uint16_t *port)
{
        char *colon = *text == '[' ? strchr(text, ']') : strchr(text, ':');

        if (*text == '[') {
                if (!colon)
                        return false;
                memmove(text, text + 1, strlen(text));
                colon--;
                *colon++ = 0;
                if (!*colon)
                        return strchr(text, ':') != NULL;
        } else if (!colon || strchr(colon + 1, ':')) {
                return true;
        }
        if (*colon != ':' || !parse_port(colon + 1, port))
                return false;
        *colon = 0;
        return true;
}

static bool parse_name(const char *text, char out[static HOST_MAX + 1])
{
        size_t n = strlen(text);

        if (!n || n > HOST_MAX || !strcmp(text, ".") || strchr(text, '/') || strchr(text, ':'))
                return false;
        for (size_t i = 0; i < n; i++)
                out[i] = (char)tolower((unsigned char)text[i]);
        if (n > 1 && out[n - 1] == '.')
                n--;
        out[n] = 0;
        return true;
}

bool allow_parse(struct bytes text, struct allow *out)
{
        char copy[HOST_MAX + 16];

        *out = (struct allow){0};
        if (!text.len || text.len >= sizeof(copy) || memchr(text.data, 0, text.len))
                return false;
        memcpy(copy, text.data, text.len);
        copy[text.len] = 0;
        if (!take_port(copy, &out->port))
                return false;
        out->is_block = address_parse_block(copy, &out->block);
        return out->is_block || parse_name(copy, out->name);
}

static bool name_matches(const char *name, const char *host)
{
        size_t n = strlen(name), len = strlen(host);

        if (*name != '.')
                return !strcmp(name, host);
        return !strcmp(name + 1, host) || (len > n && !strcmp(host + len - n, name));
}

bool allow_may_open_port(const struct allow *entry, const struct target *target)
{
        return entry->port == target->port && (entry->is_block || name_matches(entry->name, target->host));
}

bool allow_opens(const struct allow *entry, const struct target *target, bool port_listed,
        const struct sockaddr *address)
{
        if (entry->port ? entry->port != target->port : !port_listed)
                return false;
        return entry->is_block ? address_in(address, &entry->block) : name_matches(entry->name, target->host);
}
