/*
 * The other end of a filter that asks (sandbox/filter.h): whoever holds its listener hears of each call that
 * the filter does not let pass, while the caller waits. Nothing of such a call is done before it is answered,
 * and if nobody listens any more it fails with ENOSYS.
 */
#pragma once

#include "sandbox/filter.h"

#include <linux/seccomp.h>
#include <stdbool.h>

/* Loads the filter, and sends its listener over a socket. */
int listener_load(const struct filter *f, int to);

/* Whose filter it is. */
struct listener_filter {
        enum profile profile;
        bool starts;
};
/* Close-on-exec. -EAGAIN: there is none yet; -EPIPE: there will be none. */
int listener_receive(int from, struct listener_filter *of);

/* The next call. Positive: its caller is gone. */
int listener_next(int listener, struct seccomp_notif *call);
/* Whether its caller still waits: until then its pid is nobody else's. */
bool listener_waits(int listener, const struct seccomp_notif *call);
/* Lets the kernel do what was asked for. */
int listener_let(int listener, const struct seccomp_notif *call);
