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

/* A worker whose channel was not closed by us did not see it closed; and what a program's statuses mean is its own affair, but
 * for the one that its jailer keeps to itself. */
static const struct cause *cause_of(const struct worker_death *d)
{
        if (d->killed)
                return find(signals, sizeof(signals) / sizeof(*signals), d->status);
        if ((d->program && d->status != WORKER_EXIT_TREE_MEMORY) || d->status == WORKER_EXIT_CLOSED)
                return NULL;
        return find(exits, sizeof(exits) / sizeof(*exits), d->status);
}

static int say(const struct worker_death *d, const struct cause *c, char *text, size_t size)
{
        const char *who = d->program ? "program" : "worker", *name = d->killed ? sigabbrev_np(d->status) : NULL;

        if (c)
                return snprintf(text, size, "the %s %s", who, c->text);
        if (d->killed)
                return snprintf(text, size, "the %s was killed by signal %d%s%s%s", who, d->status, name ? " (" : "",
                        name ? name : "", name ? ")" : "");
        return snprintf(text, size, "the %s exited with status %d", who, d->status);
}

enum wire_code verdict_of_death(const struct worker_death *d, enum wire_code ours, const char *reason, char *text, size_t size)
{
        const struct cause *c = cause_of(d);
        int n = ours != WIRE_OK ? snprintf(text, size, "the worker was killed: %s", reason) : say(d, c, text, size);

        if (d->last_words && *d->last_words && n > 0 && (size_t)n < size)
                snprintf(text + n, size - (size_t)n, ": %s", d->last_words);
        if (ours != WIRE_OK)
                return ours;
        return c ? c->code : WIRE_WORKER_CRASHED;
}
