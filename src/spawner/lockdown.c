/*
 * The layers of a worker, in the order in which they are laid: what needs more rights first, the system call filter
 * last, since nothing can be arranged behind it. poppo-sandbox(7) says what each is for.
 */
#include "spawner/lockdown.h"

#include "base/error.h"
#include "base/fd.h"
#include "sandbox/identity.h"
#include "sandbox/instrument.h"
#include "sandbox/landlock.h"
#include "sandbox/listener.h"
#include "spawner/denial.h"
#include "spawner/rlimits.h"
#include "wire/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HIGH_FD = 128 };

static int layer_session(const struct lockdown *l)
{
        (void)l;
        return setsid() < 0 ? LAYER_ABSENT : LAYER_ENFORCED;
}

/* A sanitizer's or valgrind's report goes to the log: the only thing that a worker may ever say there. */
static int null_stdio(void)
{
        int r, log = -1;

        if (instrumented()) {
                log = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, LOCKDOWN_CHANNEL_FD + 1);
                if (log < 0)
                        return error_origin(-errno);
        }
        r = fd_null_stdio();
        if (!r && log >= 0 && dup2(log, STDERR_FILENO) < 0)
                r = error_origin(-errno);
        return r;
}

/* Nothing that is needed lies where another thing is to go: first out of the way, then each to its place. */
static int layer_descriptors(const struct lockdown *l)
{
        int first = LOCKDOWN_CHANNEL_FD + 1, learner = -1, r;

        /* The channel moves first: whatever had its number, the spawner's own channel included, is closed by that. */
        if (dup2(l->channel_fd, LOCKDOWN_CHANNEL_FD) < 0)
                return error_origin(-errno);
        if (l->learner) {
                learner = fcntl(l->learner, F_DUPFD_CLOEXEC, HIGH_FD);
                first = LOCKDOWN_LEARNER_FD + 1;
        }
        r = null_stdio();
        if (!r && l->groups)
                r = first = cgroup_host_move(l->groups, first);
        if (r >= 0 && l->learner && dup2(learner, LOCKDOWN_LEARNER_FD) < 0)
                r = error_origin(-errno);
        if (r >= 0)
                r = fd_close_from(first, -1);
        if (r)
                return r;
        return instrumented() || l->learner ? LAYER_PARTIAL : LAYER_ENFORCED;
}

/* The time zone stays, so that no call about time looks for a file. */
int lockdown_clear_environment(void)
{
        if (clearenv() || setenv("TZ", "UTC", 1))
                return error_origin(-ENOMEM);
        return 0;
}

static int layer_environment(const struct lockdown *l)
{
        (void)l;
        return environ && environ[0] && !strcmp(environ[0], "TZ=UTC") && !environ[1] ? LAYER_ENFORCED : LAYER_ABSENT;
}

/* Only root can be somebody else. Behind this there is no capability either. */
static int layer_uid(const struct lockdown *l)
{
        const struct identity who = {l->uid, l->uid};

        return geteuid() || identity_assume(&who, 0) < 0 ? LAYER_ABSENT : LAYER_ENFORCED;
}

/* The signal comes only for a death from now on: one that was before shows in the parent's number. */
static int layer_parent_death(const struct lockdown *l)
{
        int signal = 0;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_GET_PDEATHSIG, &signal) < 0)
                return LAYER_ABSENT;
        if (getppid() != l->parent)
                return error_origin(-ESRCH);
        return signal == SIGKILL ? LAYER_ENFORCED : LAYER_ABSENT;
}

static int layer_not_dumpable(const struct lockdown *l)
{
        (void)l;
        return prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_GET_DUMPABLE) ? LAYER_ABSENT : LAYER_ENFORCED;
}

static int layer_no_new_privs(const struct lockdown *l)
{
        (void)l;
        return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1
                ? LAYER_ABSENT
                : LAYER_ENFORCED;
}

/* With this personality every readable mapping would be executable, unseen by the filter. */
static bool forget_read_implies_exec(void)
{
        int now = personality(0xffffffff);

        return now >= 0 && (!(now & READ_IMPLIES_EXEC) || personality((unsigned long)(now & ~READ_IMPLIES_EXEC)) >= 0);
}

static bool is_denied(int fd)
{
        if (fd >= 0)
                close(fd);
        return fd < 0 && errno == EACCES;
}

/* Whoever may read files here: the C library's resolver looks names up with them. Those that are not there are left out. */
static int layer_files(const struct lockdown *l)
{
        static const char *const files[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf",
                "/etc/gai.conf"};
        int fds[sizeof(files) / sizeof(files[0])], r;
        size_t n = 0;

        (void)l;
        if (instrumented())
                return LAYER_ABSENT;
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
                fds[n] = open(files[i], O_PATH | O_CLOEXEC);
                n += fds[n] >= 0;
        }
        r = landlock_confine(fds, n);
        while (n)
                close(fds[--n]);
        if (r < 0)
                return LAYER_ABSENT;
        return is_denied(open("/dev/null", O_RDONLY | O_CLOEXEC)) ? LAYER_ENFORCED : LAYER_PARTIAL;
}

/* Without the filter this says EMFILE, or opens the file. */
static bool probe_filter_of_js(void)
{
        return is_denied(open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static bool probe_filter_of_http(void)
{
        return is_denied(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static bool (*const filter_probes[PROFILES])(void) = {
        [PROFILE_JS] = probe_filter_of_js, [PROFILE_HTTP] = probe_filter_of_http};

/* The code is this process's own copy of the spawner's. */
static int learn(const struct lockdown *l)
{
        struct filter f = *l->filter;

        filter_instead(&f, FILTER_LEARNS);
        if (listener_load(&f, LOCKDOWN_LEARNER_FD) == 0)
                close(LOCKDOWN_LEARNER_FD);
        return LAYER_ABSENT;
}

static int layer_seccomp(const struct lockdown *l)
{
        if (instrumented() || !forget_read_implies_exec())
                return LAYER_ABSENT;
        if (l->learner)
                return learn(l);
        /* Without it the filter ends this process just as well. */
        (void)denial_prepare(LOCKDOWN_CHANNEL_FD);
        if (filter_load(l->filter) < 0)
                return LAYER_ABSENT;
        return filter_probes[l->profile] && filter_probes[l->profile]() ? LAYER_ENFORCED : LAYER_PARTIAL;
}

static const struct layer {
        const char *name;
        /* An enum layer_state, or negative: this process must end. */
        int (*apply)(const struct lockdown *l);
        bool jail; /* a jailer lays it around what it runs, instead of around itself */
        bool http; /* only where the profile is http: the others open no file at all */
} layers[] = {
        {"session", layer_session, false},
        {"closedFds", layer_descriptors, false},
        {"environment", layer_environment, false},
        {"rlimits", rlimits_apply, true},
        {"uid", layer_uid, true}, /* forgets what a parent's death does */
        {"parentDeath", layer_parent_death, false},
        {"notDumpable", layer_not_dumpable, false},
        {"noNewPrivs", layer_no_new_privs, true},
        {"landlock", layer_files, true, true},
        {"seccomp", layer_seccomp, true},
};

enum { N_LAYERS = sizeof(layers) / sizeof(layers[0]) };

int lockdown_apply(const struct lockdown *l, struct buf *out)
{
        struct pack p;
        uint32_t n = 0;
        size_t mark;

        pack_init(&p, out);
        mark = pack_map_open(&p);
        for (int i = 0; i < N_LAYERS; i++) {
                int state;

                if ((l->jailer && layers[i].jail) || (layers[i].http && l->profile != PROFILE_HTTP))
                        continue;
                state = layers[i].apply(l);
                if (state < 0)
                        return state;
                pack_entry_text(&p, layers[i].name, layer_words[state]);
                n++;
        }
        pack_map_close(&p, mark, n);
        return p.error;
}
