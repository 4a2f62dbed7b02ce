/* The tables follow IANA's registries of special-purpose addresses (RFC 6890 and its updates). */
#include "worker/http/address.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
        struct address_block block;
        struct address_range range;
};

/* The first row that fits counts. */
/* clang-format off */
#define V4(a, b, c, d, bits, kind, is_private)                                                               \
        {{AF_INET, {a, b, c, d}, bits}, {#a "." #b "." #c "." #d "/" #bits, kind, is_private}}
/* clang-format on */

static const struct row v4[] = {
        V4(0, 0, 0, 0, 8, "unspecified", false),
        V4(10, 0, 0, 0, 8, "private", true),
        V4(100, 64, 0, 0, 10, "carrier-grade NAT", true),
        V4(127, 0, 0, 0, 8, "loopback", true),
        V4(169, 254, 0, 0, 16, "link-local", false),
        V4(172, 16, 0, 0, 12, "private", true),
        V4(192, 0, 0, 0, 24, "protocol assignment", false),
        V4(192, 0, 2, 0, 24, "documentation", false),
        V4(192, 88, 99, 0, 24, "6to4 relay", false),
        V4(192, 168, 0, 0, 16, "private", true),
        V4(198, 18, 0, 0, 15, "benchmarking", false),
        V4(198, 51, 100, 0, 24, "documentation", false),
        V4(203, 0, 113, 0, 24, "documentation", false),
        V4(224, 0, 0, 0, 4, "multicast", false),
        V4(255, 255, 255, 255, 32, "broadcast", false),
        V4(240, 0, 0, 0, 4, "reserved", false),
};

static const struct row v6[] = {
        {{AF_INET6, {0}, 128}, {"::/128", "unspecified", false}},
        {{AF_INET6, {[15] = 1}, 128}, {"::1/128", "loopback", true}},
        {{AF_INET6, {0}, 96}, {"::/96", "IPv4-compatible", false}},
        {{AF_INET6, {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48}, {"64:ff9b:1::/48", "local NAT64", false}},
        {{AF_INET6, {0x01, 0x00}, 64}, {"100::/64", "discard-only", false}},
        {{AF_INET6, {0x20, 0x01}, 32}, {"2001::/32", "Teredo", false}},
        {{AF_INET6, {0x20, 0x01}, 23}, {"2001::/23", "protocol assignment", false}},
        {{AF_INET6, {0x20, 0x01, 0x0d, 0xb8}, 32}, {"2001:db8::/32", "documentation", false}},
        {{AF_INET6, {0x20, 0x02}, 16}, {"2002::/16", "6to4", false}},
        {{AF_INET6, {0x3f, 0xff}, 20}, {"3fff::/20", "documentation", false}},
        {{AF_INET6, {0xfc}, 7}, {"fc00::/7", "unique-local", true}},
        {{AF_INET6, {0xfe, 0x80}, 10}, {"fe80::/10", "link-local", false}},
        {{AF_INET6, {0xfe, 0xc0}, 10}, {"fec0::/10", "site-local", true}},
        {{AF_INET6, {0xff}, 8}, {"ff00::/8", "multicast", false}},
};

static const struct address_block global_unicast = {AF_INET6, {0x20}, 3};

/* Their last four bytes are the IPv4 address that is reached. */
static const struct address_block wrappers[] = {
        {AF_INET6, {[10] = 0xff, [11] = 0xff}, 96},
        {AF_INET6, {0x00, 0x64, 0xff, 0x9b}, 96},
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const unsigned char *address_bytes(const struct sockaddr *address)
{
        if (address->sa_family == AF_INET)
                return (const unsigned char *)&((const struct sockaddr_in *)address)->sin_addr;
        return (const unsigned char *)&((const struct sockaddr_in6 *)address)->sin6_addr;
}

static bool bytes_in(const unsigned char *bytes, const struct address_block *block)
{
        unsigned int whole = block->bits / 8, rest = block->bits % 8;

        if (memcmp(bytes, block->bytes, whole))
                return false;
        return !rest || !((bytes[whole] ^ block->bytes[whole]) >> (8 - rest));
}

bool address_in(const struct sockaddr *address, const struct address_block *block)
{
        return address->sa_family == block->family && bytes_in(address_bytes(address), block);
}

static const struct address_range *find(const struct row *rows, size_t n, const unsigned char *bytes)
{
        for (size_t i = 0; i < n; i++)
                if (bytes_in(bytes, &rows[i].block))
                        return &rows[i].range;
        return NULL;
}

static const struct address_range *range_of_v6(const unsigned char *bytes)
{
        static const struct address_range beyond = {"outside of 2000::/3", "reserved", false};
        const struct address_range *r;

        for (size_t i = 0; i < LENGTH(wrappers); i++)
                if (bytes_in(bytes, &wrappers[i]))
                        return find(v4, LENGTH(v4), bytes + 12);
        r = find(v6, LENGTH(v6), bytes);
        return r || bytes_in(bytes, &global_unicast) ? r : &beyond;
}

const struct address_range *address_range(const struct sockaddr *address)
{
        static const struct address_range foreign = {"neither IPv4 nor IPv6", "foreign", false};

        if (address->sa_family == AF_INET)
                return find(v4, LENGTH(v4), address_bytes(address));
        if (address->sa_family == AF_INET6)
                return range_of_v6(address_bytes(address));
        return &foreign;
}

void address_format(const struct sockaddr *address, char text[static ADDRESS_TEXT])
{
        if ((address->sa_family != AF_INET && address->sa_family != AF_INET6) ||
                !inet_ntop(address->sa_family, address_bytes(address), text, ADDRESS_TEXT))
                snprintf(text, ADDRESS_TEXT, "an address of family %d", address->sa_family);
}

unsigned int address_port(const struct sockaddr *address)
{
        if (address->sa_family == AF_INET)
                return ntohs(((const struct sockaddr_in *)address)->sin_port);
        return address->sa_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)address)->sin6_port) : 0;
}

static bool parse_bits(const char *text, unsigned int most, unsigned int *out)
{
        char *end;
        unsigned long bits = strtoul(text, &end, 10);

        if (*text < '0' || *text > '9' || *end || bits > most)
                return false;
        *out = (unsigned int)bits;
        return true;
}

bool address_parse_block(const char *text, struct address_block *out)
{
        char address[ADDRESS_TEXT];
        const char *slash = strchr(text, '/');
        size_t n = slash ? (size_t)(slash - text) : strlen(text);

        if (n >= sizeof(address))
                return false;
        memcpy(address, text, n);
        address[n] = 0;
        *out = (struct address_block){.family = strchr(address, ':') ? AF_INET6 : AF_INET};
        out->bits = out->family == AF_INET ? 32 : 128;
        return inet_pton(out->family, address, out->bytes) == 1 &&
               (!slash || parse_bits(slash + 1, out->bits, &out->bits));
}
