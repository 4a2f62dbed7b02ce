/*
 * What the configuration says of http-request: taskTypes.http-request and the project's caFile, as the note
 * `configure` brings them. Settings never change: a new note makes new ones, and transfers under way keep
 * theirs.
 */
#pragma once

#include "worker/http/allow.h"

#include <openssl/x509.h>

struct settings {
        bool allow_private;
        struct allow *hosts;
        size_t n_hosts;
        uint16_t *ports;
        size_t n_ports;
        uint64_t max_redirects, max_response_bytes, max_transfers;
        X509_STORE *trust;    /* NULL: nothing can be verified */
        const char *no_trust; /* why */
};

/* Those that hold without a note: nothing but the public internet. NULL: no memory. */
struct settings *settings_new(void);
void settings_free(struct settings *s);

/* From the note's map. A member that makes no sense gives -EPROTO: the supervisor checked them all; -ENOMEM.
 */
int settings_read(struct settings *s, struct bytes map);

bool settings_lists_port(const struct settings *s, uint16_t port);
