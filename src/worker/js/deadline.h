/*
 * The limits that stop a task: its timeout, its CPU time, the master's cancel. And the heartbeat, since all
 * of them are driven by the same signals.
 *
 *   if (deadline_set(landing)) { ... deadline_verdict() says why; the world must be restored ... }
 *   else { deadline_begin(...); run; deadline_end(); }
 *
 * A signal jumps to the landing only when it interrupted the engine's own code: there no lock of the C
 * library is held, and everything that the engine may have left half done lies in the arena. A frame of ours
 * further up the stack may be abandoned at any call into the engine; so our code leaves nothing half done
 * across such a call.
 */
#pragma once

#include "wire/message.h"

#include <setjmp.h>
#include <stdint.h>

struct deadline_limits {
        uint32_t generation; /* a cancel must name it */
        int64_t started_ns;  /* monotonic */
        uint64_t timeout_ms; /* 0 = unlimited */
        uint64_t max_cpu_ms; /* 0 = unlimited */
};

/* Finds the engine's text; before lock-down, once. -ENOTSUP: the engine is linked in so that it cannot be
 * told apart. */
int deadline_prepare(void);

/* Installs the handlers and starts the beat on fd. */
int deadline_start(int fd, uint64_t heartbeat_ms);

/* No signal is blocked here and none is saved: deadline_land() lets them in again. */
#define deadline_set(landing) (sigsetjmp((landing), 0))

void deadline_begin(sigjmp_buf *landing, const struct deadline_limits *limits);
void deadline_end(void);

/* After the jump, first of all. Says why: WIRE_TIMEOUT, WIRE_CPU_LIMIT or WIRE_CANCELLED. */
enum wire_code deadline_land(void);

/* For our own code where it waits, and a signal woke it: jumps to the landing if a limit was met. Nothing may
 * be half done, as at a call into the engine. */
void deadline_leave_if_due(void);
