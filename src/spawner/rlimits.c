/* The values of rlimits.def, and setting them. A limit that is lower already stays: it can only be stricter. */
#include "spawner/rlimits.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "sandbox/instrument.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#define MIB ((rlim_t)1024 * 1024)

enum { SLACK_MIB = 256, CPU_GRACE_S = 60 };

/* Of a worker with as many transfers as there may be: a socket or two each, a lookup's, and what is kept open. */
enum { TRANSFERS_FILES = 8192, TRANSFERS_MIB = 1024, TRANSFERS_TASKS = 4, TRANSFERS_REPLIES = 64 };

/* A limit that is lower already stays, so this changes nothing. */
static rlim_t keep(const struct lockdown *l)
{
        (void)l;
        return RLIM_INFINITY;
}

static rlim_t none(const struct lockdown *l)
{
        (void)l;
        return 0;
}

/* The kernel counts over a worker's life, the configuration over one task's: enough for all of its tasks, twice. */
static rlim_t cpu_seconds(const struct lockdown *l)
{
        const struct wire_spawn_setup *s = l->setup;

        if (!s->max_cpu_ms || !WIRE_HAS(s, spawn_setup, max_tasks) || !s->max_tasks)
                return RLIM_INFINITY;
        return 2 * s->max_tasks * (s->max_cpu_ms / 1000 + 1) + CPU_GRACE_S;
}

/* What is mapped now (the arena is), the stack at its largest, a frame in and out while its buffer moves, and slack: the
 * images of loaded modules (worker/js/worlds.h), and what is on its way into one. */
static rlim_t address_space(const struct lockdown *l)
{
        const struct wire_spawn_setup *s = l->setup;
        struct rlimit stack = {.rlim_cur = RLIM_INFINITY};

        getrlimit(RLIMIT_STACK, &stack);
        if (stack.rlim_cur == RLIM_INFINITY)
                stack.rlim_cur = s->max_memory_bytes;
        return l->mapped_bytes + s->max_memory_bytes + stack.rlim_cur + 2 * (s->max_result_bytes + s->max_log_bytes) +
                SLACK_MIB * MIB;
}

static rlim_t transfers_files(const struct lockdown *l)
{
        (void)l;
        return TRANSFERS_FILES;
}

/* Stacks of threads, buffers of sockets and of TLS, a few responses at their largest, the replies that may wait. */
static rlim_t transfers_space(const struct lockdown *l)
{
        const struct wire_spawn_setup *s = l->setup;

        return address_space(l) + TRANSFERS_MIB * MIB + TRANSFERS_TASKS * s->max_memory_bytes +
                TRANSFERS_REPLIES * (s->max_result_bytes + s->max_log_bytes);
}

static void close_file(FILE **f)
{
        if (*f)
                fclose(*f);
}

int rlimits_mapped_bytes(uint64_t *bytes)
{
        CLEANUP(close_file) FILE *f = fopen("/proc/self/statm", "re");
        unsigned long pages;

        if (!f)
                return error_origin(-errno);
        if (fscanf(f, "%lu", &pages) != 1)
                return error_origin(-EIO);
        *bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
        return 0;
}

enum { KEEP, DROP };

static const struct row {
        int resource, instrumented;
        rlim_t (*value[PROFILES])(const struct lockdown *l);
} rows[] = {
#define LIMIT(what, under_tools, js, http, shell, reason)                                                    \
        {.resource = RLIMIT_##what,                                                                          \
                .instrumented = under_tools,                                                                 \
                .value = {[PROFILE_JS] = js, [PROFILE_HTTP] = http, [PROFILE_SHELL] = shell}},
#include "spawner/rlimits.def"
};

/* A filter's listener is a descriptor. */
static bool is_left(const struct lockdown *l, const struct row *row)
{
        return (instrumented() && row->instrumented == DROP) || (l->learner && row->resource == RLIMIT_NOFILE);
}

static bool set_and_read_back(int resource, rlim_t value)
{
        struct rlimit now, want;

        if (prlimit(0, (__rlimit_resource_t)resource, NULL, &now) < 0)
                return false;
        want.rlim_max = value < now.rlim_max ? value : now.rlim_max;
        want.rlim_cur = want.rlim_max;
        return !prlimit(0, (__rlimit_resource_t)resource, &want, NULL) &&
                !prlimit(0, (__rlimit_resource_t)resource, NULL, &now) && now.rlim_max == want.rlim_max &&
                now.rlim_cur == want.rlim_cur;
}

/* Not only what the kernel says of the limits, but what they do. Where some may be opened: not one with a number beyond. */
static bool probe_descriptors(void)
{
        struct rlimit now;
        int fd = dup(LOCKDOWN_CHANNEL_FD);

        if (fd < 0)
                return errno == EMFILE;
        close(fd);
        return !getrlimit(RLIMIT_NOFILE, &now) && now.rlim_cur < INT_MAX &&
                dup2(LOCKDOWN_CHANNEL_FD, (int)now.rlim_cur) < 0 && errno == EBADF;
}

int rlimits_apply(const struct lockdown *l)
{
        enum layer_state state = LAYER_ENFORCED;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                if (is_left(l, &rows[i]) || !set_and_read_back(rows[i].resource, rows[i].value[l->profile](l)))
                        state = LAYER_PARTIAL;
        return probe_descriptors() ? state : LAYER_PARTIAL;
}
