/* The distribution's header is older than the kernels that poppo meets, so the newer fields and bits are
 * declared here. */
#include "sandbox/landlock.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct ruleset {
        uint64_t files, ports, scopes;
};

enum { BIND_PORTS = 1 << 0, ABSTRACT_SOCKETS = 1 << 0, SIGNALS = 1 << 1, SCOPES_SINCE = 6 };

/* Rights by version: what a kernel does not know it must not be asked for. */
static const struct {
        int version;
        struct ruleset adds;
} versions[] = {
        {1, {.files = (1 << 13) - 1}},
        {2, {.files = 1 << 13 /* links and renames between directories */}},
        {3, {.files = 1 << 14 /* truncation */}},
        {4, {.ports = BIND_PORTS}},
        {5, {.files = 1 << 15 /* devices' ioctls */}},
        {SCOPES_SINCE, {.scopes = ABSTRACT_SOCKETS | SIGNALS}},
};

static int version_of_kernel(void)
{
        return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static int create(void)
{
        int version = version_of_kernel();
        struct ruleset all = {0};

        for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
                if (version >= versions[i].version) {
                        all.files |= versions[i].adds.files;
                        all.ports |= versions[i].adds.ports;
                        all.scopes |= versions[i].adds.scopes;
                }
        /* Fields behind those that the kernel knows must be 0, and are. */
        return version < 1 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
}

static int allow_reading(int ruleset, int fd)
{
        struct landlock_path_beneath_attr rule = {
                .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE, .parent_fd = fd};
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_origin(-errno);
        if (S_ISDIR(st.st_mode))
                rule.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
                return error_origin(-errno);
        return 0;
}

int landlock_confine(const int *readable, size_t n)
{
        CLEANUP(cleanup_close) int ruleset = create();
        int r = 0;

        if (ruleset < 0)
                return error_origin(-errno);
        for (size_t i = 0; !r && i < n; i++)
                r = allow_reading(ruleset, readable[i]);
        if (!r && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
                r = error_origin(-errno);
        return r;
}

int landlock_scope(void)
{
        const struct ruleset scopes = {.scopes = ABSTRACT_SOCKETS | SIGNALS};
        CLEANUP(cleanup_close) int ruleset = -1;

        if (version_of_kernel() < SCOPES_SINCE)
                return -EOPNOTSUPP;
        ruleset = (int)syscall(SYS_landlock_create_ruleset, &scopes, sizeof(scopes), 0);
        if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
                return error_origin(-errno);
        return 0;
}
