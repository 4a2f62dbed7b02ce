/* The tables: signals and exit statuses that tell more than "it crashed". */
#include "master/verdict.h"

#include "wire/exits.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct cause {
        int number;
        enum wire_code code;
        const char *text;
};

static const struct cause signals[] = {
        {SIGSYS, WIRE_SYSCALL_DENIED, "made a system call that its sandbox forbids"},
        {SIGXCPU, WIRE_CPU_LIMIT, "used all the CPU time that it may"},
        {SIGXFSZ, WIRE_OUTPUT_LIMIT, "wrote a larger file than it may"},
};

static const struct cause exits[] = {
#define EXIT(name, status, verdict, doc) {status, WIRE_##verdict, doc},
#include "wire/exits.def"
};

static const struct cause *find(const struct cause *table, size_t n, int number)
{
        for (size_t i = 0; i < n; i++)
                if (table[i].number == number)
                        return &table[i];
        return NULL;
}

enum wire_code verdict_of_death(const struct worker_death *d, enum wire_code ours, const char *reason, char *text, size_t size)
{
        const char *name = d->killed ? sigabbrev_np(d->status) : NULL;
        const struct cause *c = d->killed ? find(signals, sizeof(signals) / sizeof(*signals), d->status) :
                                            find(exits, sizeof(exits) / sizeof(*exits), d->status);
        int n;

        if (ours != WIRE_OK) {
                snprintf(text, size, "the worker was killed: %s", reason);
                return ours;
        }
        if (c)
                n = snprintf(text, size, "the worker %s", c->text);
        else if (d->killed)
                n = snprintf(text, size, "the worker was killed by signal %d%s%s%s", d->status, name ? " (" : "",
                        name ? name : "", name ? ")" : "");
        else
                n = snprintf(text, size, "the worker exited with status %d", d->status);
        if (d->last_words && *d->last_words && n > 0 && (size_t)n < size)
                snprintf(text + n, size - (size_t)n, ": %s", d->last_words);
        return c ? c->code : WIRE_WORKER_CRASHED;
}
