/*
 * The class program: any executable that speaks the worker protocol (poppo-protocol(7)), in a jail. This
 * process makes the jail, says which layers hold, hands its channel to the program as descriptor 3, and
 * waits; it ends as the program ends, and the program dies with it.
 */
#pragma once

#include "sandbox/cgroup.h"
#include "wire/codec.h"

void worker_program_offer_groups(const struct cgroup_host *groups);
int worker_program_prepare(const struct wire_spawn_setup *setup);

/* In the child, before lock-down: whose code it is. Positive: refused, with the reason. */
int worker_program_load(const struct wire_spawn *ask, struct wire_refusal *why);

/* In the child, locked down as a jailer. Uses _exit() and signals only. */
_Noreturn void worker_program_run(int channel_fd, const struct wire_spawn *ask, struct bytes layers);
