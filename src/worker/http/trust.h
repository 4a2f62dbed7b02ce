/*
 * Whom TLS trusts: certificates in memory, since a locked-down worker reads no files. The system's are read
 * once, before the lock-down; a project's own come with its settings.
 */
#pragma once

#include "base/buf.h"

#include <openssl/x509.h>

/* Reads the system's certificates, from where libcurl would. -ENOENT: there are none. */
int trust_load_system(void);

/* The system's; NULL if they were not loaded. The caller gets a reference of its own. */
X509_STORE *trust_system(void);

/* Of certificates in PEM. NULL: there is none among these bytes, or one that is damaged. */
X509_STORE *trust_of(struct bytes pem);
