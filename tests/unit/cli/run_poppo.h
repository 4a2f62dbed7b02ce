/* poppo(1) run in a child, with input, output, errors and exit status at hand; a fake supervisor answers it. */
#pragma once

#include "fake_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

enum { OUTPUT_MAX = 256 * 1024 };

struct outcome {
        int status;
        char out[OUTPUT_MAX], err[OUTPUT_MAX];
};

/* An unlinked file with this content, read from its start. */
int temporary(const char *content);

/* Starts it on these descriptors; they stay the caller's. */
pid_t start(int in, int out, int err, const char **argv);

/* Runs it to its end. The outcome is static: the next run overwrites it. */
struct outcome *run_with(const char *input, const char **argv);

#define RUN_WITH(input, ...) run_with(input, (const char *[]){"poppo", __VA_ARGS__, NULL})
#define RUN(...) RUN_WITH("", __VA_ARGS__)

#define SERVE(fake, ...)                                                                                     \
        static const struct fake_rule rules[] = {__VA_ARGS__};                                               \
        struct fake fake;                                                                                    \
        fake_start(&fake, rules, sizeof(rules) / sizeof(rules[0]), 0);                                       \
        setenv("POPPO_SOCKET", fake.path, 1)

void finish(struct fake *fake);

/* Compares all of it. */
void check(const struct outcome *o, int status, const char *out, const char *err);
void check_requests(const struct fake *fake, const char *expected);
