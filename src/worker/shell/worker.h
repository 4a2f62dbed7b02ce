/*
 * The shell worker (class shell): a jailer. It lives for many commands, and runs one at a time, each as a
 * process tree in a jail of its own (sandbox/jail.h). It reads the tasks of one project only; what it reads
 * it hands to nobody but the tree, and what comes from the tree it keeps within limits and believes nothing
 * of.
 */
#pragma once

#include "sandbox/cgroup.h"
#include "wire/message.h"

/* Once in the spawner: the filter. Negative: no worker can be started. */
int worker_shell_prepare(const struct wire_spawn_setup *setup);

void worker_shell_offer_groups(const struct cgroup_host *groups);

/* In the locked-down child; the channel does not block. Makes its jail, probes it, says `ready` with the
 * layers around itself and those around the tree, and serves until the channel closes. Where no jail can be
 * had it says `failed`. */
_Noreturn void worker_shell_run(int channel_fd, const struct wire_spawn *ask, struct bytes layers);
