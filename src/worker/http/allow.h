/*
 * The entries of allowHosts: what may be reached although its address or its port is refused else, and
 * exactly that.
 *
 *   "wiki.lan"       this name, on the ports of allowPorts     ".lan"           lan and every name below it
 *   "10.1.0.0/16"    addresses, whatever name led to them      "::1" "10.1.2.3" one address
 *   "wiki.lan:8080"  on this port, whether allowPorts has it or not; also behind ".lan", "10.1.2.3" and
 * "[::1]"
 *
 * An address that wraps another one is not that other one.
 */
#pragma once

#include "base/buf.h"
#include "worker/http/address.h"

#include <stdint.h>

enum { HOST_MAX = 255 };

/* Where a request goes: a host as ALLOW's functions and libcurl see it, lower-case, in ASCII, without
 * brackets and without a dot at its end. */
struct target {
        char host[HOST_MAX + 1];
        uint16_t port;
        bool tls;
};

struct allow {
        bool is_block;
        struct address_block block;
        char name[HOST_MAX + 1]; /* lower-case; of a suffix, with the dot */
        uint16_t port;           /* 0: those of allowPorts */
};

/* False: this is no such entry. */
bool allow_parse(struct bytes text, struct allow *out);

/* Whether the entry could open this target's port, before its address is known. */
bool allow_may_open_port(const struct allow *entry, const struct target *target);

/* Whether the entry opens this address for this target. port_listed: allowPorts has the target's port. */
bool allow_opens(const struct allow *entry, const struct target *target, bool port_listed,
        const struct sockaddr *address);
