/*
 * The other end of a filter that asks (sandbox/filter.h): whoever holds its listener hears of each call that
 * the filter does not let pass, while the caller waits. Nothing of such a call is done before it is answered,
 * and if nobody listens any more it fails with ENOSYS.
 */
#pragma once

#include <linux/seccomp.h>
#include <stdbool.h>

/* The listener's way from who loaded the filter, over a socket. Its own copy stays the sender's. */
int listener_send(int to, int listener);
/* Close-on-exec. -EAGAIN: there is none yet; -EPIPE: there will be none. */
int listener_receive(int from);

/* The next call. Positive: its caller is gone. */
int listener_next(int listener, struct seccomp_notif *call);
/* Whether its caller still waits: until then its pid is nobody else's. */
bool listener_waits(int listener, const struct seccomp_notif *call);
/* Lets the kernel do what was asked for. */
int listener_let(int listener, const struct seccomp_notif *call);
