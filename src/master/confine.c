/* The layers, what needs more rights first. What each of them forbids is tried. */
#include "master/confine.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "sandbox/filter.h"
#include "sandbox/instrument.h"
#include "sandbox/landlock.h"
#include "sandbox/renounce.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- rights ---- */

/* Workers may be of other users, and those that are bound to our death need our leave to be killed by it;
 * whom it may be used on, the filter decides. Root that stays root goes on to open what is not its own: where
 * Landlock lets it. */
static uint64_t kept_capabilities(void)
{
        uint64_t kept = IDENTITY_CAPABILITY(CAP_KILL);

        return geteuid() ? kept : kept | IDENTITY_CAPABILITY(CAP_DAC_OVERRIDE);
}

/* ---- files ---- */

enum { GRANTS_MAX = 256 };

struct grants {
        struct landlock_grant list[GRANTS_MAX];
        size_t n;
};

/* What cannot be opened is not there, and then it is not there later either. */
static void grant(struct grants *g, const char *path, unsigned int rights)
{
        int fd = g->n < GRANTS_MAX ? open(path, O_PATH | O_CLOEXEC) : -1;

        if (fd >= 0)
                g->list[g->n++] = (struct landlock_grant){fd, rights};
}

/* A file is replaced by another one of its name, so it is its directory that counts. */
static void grant_place(struct grants *g, const char *path, unsigned int rights)
{
        char dir[PATH_MAX];
        char *slash;

        if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir))
                return;
        slash = strrchr(dir, '/');
        if (slash)
                slash[slash == dir] = 0;
        grant(g, slash ? dir : ".", rights);
}

/* Where the name is, and where what it stands for is. */
static void grant_file(struct grants *g, const char *path, unsigned int rights)
{
        CLEANUP(cleanup_free) char *real = realpath(path, NULL);
        struct stat st;

        if (real && !stat(real, &st) && !S_ISREG(st.st_mode))
                return grant(g, real, rights);
        grant_place(g, path, rights);
        if (real && strcmp(real, path))
                grant_place(g, real, rights);
}

static void grant_all(struct grants *g, const struct confinement *c)
{
        const char *log = c->config->logging.file;

        grant(g, "/dev/null", LANDLOCK_READ);
        grant_place(g, c->socket_path, LANDLOCK_REMOVE);
        if (c->config_path)
                grant_file(g, c->config_path, LANDLOCK_READ);
        if (log && *log)
                grant_file(g, log, LANDLOCK_WRITE);
        for (size_t i = 0; i < c->config->n_projects; i++)
                if (c->config->projects[i].ca_file)
                        grant_file(g, c->config->projects[i].ca_file, LANDLOCK_READ);
}

static bool is_denied(const char *path)
{
        CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

        return fd < 0 && errno == EACCES;
}

static enum layer_state lay_landlock(const struct confinement *c)
{
        struct grants g = {.n = 0};
        int r;

        if (instrumented())
                return LAYER_ABSENT;
        grant_all(&g, c);
        r = landlock_grant_only(g.list, g.n);
        while (g.n)
                close(g.list[--g.n].fd);
        if (r < 0)
                return LAYER_ABSENT;
        return is_denied("/proc/self/status") ? LAYER_ENFORCED : LAYER_PARTIAL;
}

/* ---- the filter ---- */

static const struct filter_call calls[] = {
#define SYSCALL(name, action, reason) {#name, FILTER_##action},
#include "master/syscalls.def"
};

static enum layer_state lay_filter(void)
{
        struct filter f;
        int r, sock;

        if (instrumented() ||
                filter_build_list(&f, calls, sizeof(calls) / sizeof(calls[0]), FILTER_ABSENT) < 0)
                return LAYER_ABSENT;
        r = filter_load(&f);
        filter_fini(&f);
        if (r < 0)
                return LAYER_ABSENT;
        sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (sock >= 0)
                close(sock);
        return sock < 0 && errno == ENOSYS ? LAYER_ENFORCED : LAYER_PARTIAL;
}

int confine(const struct confinement *c, struct layers *out)
{
        int r = c->user ? identity_assume(c->user, IDENTITY_CAPABILITY(CAP_KILL)) : 0;

        if (r < 0)
                return r;
        renounce_rights(out, kept_capabilities());
        layers_add(out, "landlock", lay_landlock(c));
        layers_add(out, "seccomp", lay_filter());
        return 0;
}
