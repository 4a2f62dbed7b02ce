/* The layers of poppod's own processes. What is tried after it was laid is tried on this very process. */
#include "sandbox/renounce.h"

#include "base/error.h"
#include "sandbox/filter.h"
#include "sandbox/identity.h"
#include "sandbox/instrument.h"

#include <assert.h>
#include <errno.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FOR_ALL(call) SCMP_SYS(call),
#define FOR_STORE(call)
#define REFUSE(call, who, reason) FOR_##who(call)
static const int refused_to_starters[] = {
#include "sandbox/renounce.def"
};
#undef FOR_STORE
#define FOR_STORE(call) SCMP_SYS(call),
#define REFUSE(call, who, reason) FOR_##who(call)
static const int refused_to_store[] = {
#include "sandbox/renounce.def"
};

static const struct {
        const int *calls;
        size_t n;
        bool for_good;
} refused[RENOUNCE_WHO] = {
        [RENOUNCE_STARTERS] = {refused_to_starters,
                sizeof(refused_to_starters) / sizeof(refused_to_starters[0])},
        [RENOUNCE_STORE] = {refused_to_store, sizeof(refused_to_store) / sizeof(refused_to_store[0]), .for_good = true},
};

const int *renounce_calls(enum renounce_who who, size_t *n)
{
        *n = refused[who].n;
        return refused[who].calls;
}

#define C(capability) IDENTITY_CAPABILITY(CAP_##capability)
const uint64_t renounce_jailers_capabilities = C(CHOWN) | C(DAC_OVERRIDE) | C(DAC_READ_SEARCH) | C(FOWNER) |
                                               C(FSETID) | C(KILL) | C(SETGID) | C(SETUID) | C(SETPCAP) |
                                               C(SETFCAP) | C(NET_ADMIN) | C(SYS_CHROOT) | C(SYS_ADMIN) |
                                               C(SYS_RESOURCE) | C(MKNOD);
#undef C

/* ---- layers ---- */

void layers_add(struct layers *l, const char *name, enum layer_state state)
{
        assert(l->n < LAYERS_MAX);
        l->list[l->n].name = name;
        l->list[l->n++].state = state;
}

void layers_text(const struct layers *l, char *out, size_t size)
{
        size_t at = 0;

        *out = 0;
        for (size_t i = 0; i < l->n; i++) {
                int n = snprintf(out + at, size - at, "%s%s %s", at ? ", " : "", l->list[i].name,
                        layer_words[l->list[i].state]);

                at += n > 0 && (size_t)n < size - at ? (size_t)n : 0;
        }
}

/* Who is not root and has no capability has nothing to give up. */
static enum layer_state lay_capabilities(uint64_t kept)
{
        if (identity_reduce(kept) < 0)
                return LAYER_ABSENT;
        return identity_capabilities() ? LAYER_PARTIAL : LAYER_ENFORCED;
}

static enum layer_state lay_not_dumpable(void)
{
        const struct rlimit none = {0, 0};

        /* A sanitizer looks at the process from beside it, which a change of user has put an end to. */
        if (instrumented())
                prctl(PR_SET_DUMPABLE, 1);
        if (instrumented() || setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
                return LAYER_ABSENT;
        return prctl(PR_GET_DUMPABLE) ? LAYER_ABSENT : LAYER_ENFORCED;
}

static enum layer_state lay_no_new_privs(void)
{
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return LAYER_ABSENT;
        return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? LAYER_ENFORCED : LAYER_ABSENT;
}

void renounce_rights(struct layers *out, uint64_t kept)
{
        layers_add(out, "user", geteuid() ? LAYER_ENFORCED : LAYER_ABSENT);
        layers_add(out, "capabilities", lay_capabilities(kept));
        layers_add(out, "notDumpable", lay_not_dumpable());
        layers_add(out, "noNewPrivs", lay_no_new_privs());
}

/* Without the filter this says EFAULT or EINVAL. */
static enum layer_state lay_filter(enum renounce_who who)
{
        const int error = refused[who].for_good ? EPERM : ENOSYS;
        struct filter f;
        int r;

        if (instrumented() ||
                filter_build_refusing(&f, refused[who].calls, refused[who].n, refused[who].for_good) < 0)
                return LAYER_ABSENT;
        r = filter_load(&f);
        filter_fini(&f);
        if (r < 0)
                return LAYER_ABSENT;
        return syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 1) < 0 && errno == error
                       ? LAYER_ENFORCED
                       : LAYER_PARTIAL;
}

void renounce_filter(struct layers *out, enum renounce_who who)
{
        layers_add(out, "seccomp", lay_filter(who));
}
