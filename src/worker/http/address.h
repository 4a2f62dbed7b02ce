/*
 * Which addresses a task reaches unless the operator says otherwise: those of the public internet, and no
 * others. For IPv4 the table names what is not public; of IPv6 only 2000::/3 is public at all, less what the
 * table names in it. An address that only wraps an IPv4 one is judged by that one.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct address_range {
        const char *text; /* for people: "127.0.0.0/8" */
        const char *kind; /* "loopback" */
        bool is_private;  /* allowPrivate opens it */
};

/* The range that keeps this address from being public; NULL: it is public. Other families than AF_INET and
 * AF_INET6 never are. */
const struct address_range *address_range(const struct sockaddr *address);

enum { ADDRESS_TEXT = INET6_ADDRSTRLEN };

/* "127.0.0.1" or "::1", without the port. */
void address_format(const struct sockaddr *address, char text[static ADDRESS_TEXT]);

/* 0 for any other family. */
unsigned int address_port(const struct sockaddr *address);

/* A block of addresses of one family. */
struct address_block {
        int family;
        unsigned char bytes[16]; /* network order; IPv4: the first four */
        unsigned int bits;
};

bool address_in(const struct sockaddr *address, const struct address_block *block);

/* "10.1.0.0/16", "::1"; without a length it is one address. False: this is no such text. */
bool address_parse_block(const char *text, struct address_block *out);
