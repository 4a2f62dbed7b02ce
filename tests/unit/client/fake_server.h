/*
 * A supervisor for tests: a child that listens on a private socket and answers each op by a rule. Requests are kept as JSON
 * lines, so that a test can say what must have been sent.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * reply: the reply's fields as JSON; one with "error" is a refusal. Special ones:
 *   NULL         never answered
 *   "!bytes"     these bytes as they are, then the connection is closed
 *   ">1 stdout \"text\"\n..."   output of attempt 1 is pushed first, as many lines as there are; then the rest is the reply,
 *                and without a rest there is none
 * Ops without a rule: hello and ping are answered; submit gives a new id, and with wait a record whose value is the task's
 * source; any other op is refused with BAD_FRAME.
 */
struct fake_rule {
        const char *op, *reply;
};

struct fake {
        pid_t pid;
        char directory[64], path[96], log[96];
};

/* Serves until fake_stop. reverse: what arrived together is answered last first. */
void fake_start(struct fake *f, const struct fake_rule *rules, size_t n_rules, int reverse);
void fake_stop(struct fake *f);

/* All requests so far but hello, one JSON object a line without seq; to be freed. */
char *fake_requests(const struct fake *f);
