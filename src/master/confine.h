/*
 * What the master keeps of its rights once its sockets and locks are there, and before the first client is
 * heard: its descriptors; to read its configuration, to write its log, to remove its socket; and to signal
 * whom it has a pidfd of.
 */
#pragma once

#include "config/config.h"
#include "sandbox/identity.h"
#include "sandbox/layer.h"

struct confinement {
        const struct identity *user; /* who it becomes; NULL: nobody else */
        const char *config_path;     /* NULL: none */
        const char *socket_path;
        const struct config *config;
};

/* Lays each layer and says what became of it. Negative: it could not become that user, and must end. */
int confine(const struct confinement *c, struct layers *out);
