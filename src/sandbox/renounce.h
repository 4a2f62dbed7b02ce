/*
 * What poppod's own processes give up once they have what they work on. They run no foreign code, so for
 * those that start others it is a list of what is forbidden (renounce.def); workers, the loader and the
 * master have lists of what is allowed.
 */
#pragma once

#include "sandbox/layer.h"

#include <stdint.h>

/* STARTERS: the spawner and the starter. What they refuse is refused to whatever they start, too: so only
 * what no class of workers may do, and nothing that a jail is made with. */
enum renounce_who { RENOUNCE_STARTERS, RENOUNCE_STORE, RENOUNCE_WHO };

/* The numbers of what is refused to them. */
const int *renounce_calls(enum renounce_who who, size_t *n);

/* The capabilities that jails are made with, and users changed. With them root is still root; what is left
 * out is what no mistake of ours should reach: the kernel's modules, devices, clock, others' memory. */
extern const uint64_t renounce_jailers_capabilities;

/* For this process, for good, each layer tried after it was laid (not under a sanitizer or valgrind: they are
 * absent then): the capabilities but `kept`, no core file, not dumpable, no_new_privs. */
void renounce_rights(struct layers *out, uint64_t kept);
/* The filter, last of all. */
void renounce_filter(struct layers *out, enum renounce_who who);

void layers_add(struct layers *l, const char *name, enum layer_state state);
/* "user enforced, seccomp absent", for the log. */
void layers_text(const struct layers *l, char *out, size_t size);
