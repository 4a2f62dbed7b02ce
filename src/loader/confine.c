/* The layers, what needs more rights first. */
#include "loader/confine.h"

#include "base/error.h"
#include "sandbox/filter.h"
#include "sandbox/instrument.h"
#include "sandbox/landlock.h"
#include "sandbox/layer.h"
#include "wire/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MEMORY_MIB = 256, FILES_MAX = 128 };

struct confinement {
        const struct roots *roots;
        pid_t parent;
};

/* The signal comes only for a death from now on: one that was before shows in the parent's number. */
static int layer_parent_death(const struct confinement *c)
{
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return LAYER_ABSENT;
        return getppid() == c->parent ? LAYER_ENFORCED : error_origin(-ESRCH);
}

/* Neither forks nor dumps; a file's bytes and an answer fit in the memory. FSIZE stays: the log may be a
 * file. */
static int layer_rlimits(const struct confinement *c)
{
        const struct {
                __rlimit_resource_t resource;
                rlim_t value;
        } limits[] = {{RLIMIT_CORE, 0}, {RLIMIT_NPROC, instrumented() ? RLIM_INFINITY : 0},
                {RLIMIT_MEMLOCK, 0}, {RLIMIT_NOFILE, FILES_MAX},
                {RLIMIT_AS, instrumented() ? RLIM_INFINITY : (rlim_t)MEMORY_MIB << 20}};
        int state = instrumented() ? LAYER_PARTIAL : LAYER_ENFORCED;

        (void)c;
        for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
                struct rlimit now;

                if (getrlimit(limits[i].resource, &now) < 0)
                        return LAYER_PARTIAL;
                if (limits[i].value < now.rlim_max)
                        now.rlim_max = limits[i].value;
                now.rlim_cur = now.rlim_max;
                if (setrlimit(limits[i].resource, &now) < 0)
                        state = LAYER_PARTIAL;
        }
        return state;
}

/* Root's right to look at any file stays, since modules may be their owner's alone; beneath a root the kernel
 * keeps it, and no other right is left. */
static int layer_capabilities(const struct confinement *c)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};

        (void)c;
        if (syscall(SYS_capget, &header, sets) < 0)
                return LAYER_ABSENT;
        sets[0].effective = sets[0].permitted = sets[0].permitted & (1u << CAP_DAC_READ_SEARCH);
        sets[0].inheritable = 0;
        sets[1] = (struct __user_cap_data_struct){0};
        return syscall(SYS_capset, &header, sets) < 0 ? LAYER_ABSENT : LAYER_ENFORCED;
}

static int layer_not_dumpable(const struct confinement *c)
{
        (void)c;
        return prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_GET_DUMPABLE) ? LAYER_ABSENT : LAYER_ENFORCED;
}

static int layer_no_new_privs(const struct confinement *c)
{
        (void)c;
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? LAYER_ABSENT : LAYER_ENFORCED;
}

static int layer_landlock(const struct confinement *c)
{
        int fds[ROOTS_MAX], fd;
        size_t n = 0;

        for (unsigned int i = 0; i < c->roots->n; i++)
                if (c->roots->list[i].fd >= 0)
                        fds[n++] = c->roots->list[i].fd;
        if (landlock_confine(fds, n) < 0)
                return LAYER_ABSENT;
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
                close(fd);
        return fd < 0 && errno == EACCES ? LAYER_ENFORCED : LAYER_PARTIAL;
}

static const struct filter_call calls[] = {
#define SYSCALL(name, reason) {#name, FILTER_ALLOW},
#include "loader/syscalls.def"
};

static int layer_seccomp(const struct confinement *c)
{
        struct filter f;
        int r;

        (void)c;
        if (filter_build_list(&f, calls, sizeof(calls) / sizeof(calls[0]), FILTER_KILL) < 0)
                return LAYER_ABSENT;
        r = filter_load(&f);
        filter_fini(&f);
        return r < 0 ? LAYER_ABSENT : LAYER_ENFORCED;
}

/* tools: also under a sanitizer or valgrind, whose runtimes look at the process from beside it. */
static const struct {
        const char *name;
        /* An enum layer_state, or negative: this process must end. */
        int (*apply)(const struct confinement *);
        bool tools;
} layers[] = {
        {"parentDeath", layer_parent_death, true},
        {"rlimits", layer_rlimits, true},
        {"capabilities", layer_capabilities},
        {"notDumpable", layer_not_dumpable},
        {"noNewPrivs", layer_no_new_privs, true},
        {"landlock", layer_landlock},
        {"seccomp", layer_seccomp},
};

int confine(const struct roots *r, pid_t parent, struct buf *out)
{
        const struct confinement c = {r, parent};
        struct pack p;

        /* The library looks for a seed when it makes its first table: now, while there is one to be found. */
        json_object_seed(0);
        pack_init(&p, out);
        pack_map(&p, sizeof(layers) / sizeof(layers[0]));
        for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
                int state = instrumented() && !layers[i].tools ? LAYER_ABSENT : layers[i].apply(&c);

                if (state < 0)
                        return state;
                pack_entry_text(&p, layers[i].name, layer_words[state]);
        }
        return p.error;
}
