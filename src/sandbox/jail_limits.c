/* The values of jail_limits.def, and setting them. */
#include "sandbox/jail_private.h"

#include <errno.h>
#include <sys/resource.h>

#define STACK_BYTES (8 * 1024 * 1024)
#define MEMLOCK_BYTES (64 * 1024)
#define MSGQUEUE_BYTES (800 * 1024)
enum { SIGNALS = 1024 };

static rlim_t all_of(uint64_t limit)
{
        return limit ? limit : RLIM_INFINITY;
}

/* Its init counts, and in a user namespace the jailer with its thread, which have the same user. */
static rlim_t processes(const struct jail *j)
{
        return j->spec.processes ? j->spec.processes + 1 + j->user_namespace * (1 + j->group.cradle.running) : RLIM_INFINITY;
}

/* Of the processor's time the soft limit has a signal of its own, which says what it was; the hard one just
 * kills. */
static rlim_t hard_of(int resource, rlim_t soft)
{
        return resource == RLIMIT_CPU && soft != RLIM_INFINITY ? soft + 1 : soft;
}

static int set(int resource, rlim_t value)
{
        rlim_t hard = hard_of(resource, value);
        struct rlimit now, want;

        if (prlimit(0, (__rlimit_resource_t)resource, NULL, &now) < 0)
                return -errno;
        want.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
        want.rlim_cur = value < want.rlim_max ? value : want.rlim_max;
        return prlimit(0, (__rlimit_resource_t)resource, &want, NULL) < 0 ? -errno : 0;
}

static int holds(int resource, rlim_t value)
{
        struct rlimit now;

        return prlimit(0, (__rlimit_resource_t)resource, NULL, &now) < 0 || now.rlim_cur > value ||
               now.rlim_max > hard_of(resource, value);
}

static int for_each(const struct jail *j, int (*visit)(int resource, rlim_t value))
{
        const struct jail_spec *s = &j->spec;
        const struct {
                int resource;
                rlim_t value;
        } rows[] = {
#define LIMIT(what, limit, reason) {RLIMIT_##what, limit},
#include "sandbox/jail_limits.def"
        };
        int r = 0;

        for (size_t i = 0; !r && i < sizeof(rows) / sizeof(rows[0]); i++)
                r = visit(rows[i].resource, rows[i].value);
        return r;
}

int jail_limits_set(const struct jail *j)
{
        return for_each(j, set);
}

bool jail_limits_hold(const struct jail *j)
{
        return for_each(j, holds) == 0;
}
