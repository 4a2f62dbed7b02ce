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

enum { BIND_PORTS = 1 << 0, ABSTRACT_SOCKETS = 1 << 0, SIGNALS = 1 << 1 };

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
        {6, {.scopes = ABSTRACT_SOCKETS | SIGNALS}},
};

static int create(struct ruleset wanted)
{
        int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        struct ruleset all = {0};

        for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
                if (version >= versions[i].version) {
                        all.files |= versions[i].adds.files;
                        all.ports |= versions[i].adds.ports;
                        all.scopes |= versions[i].adds.scopes;
                }
        all.files &= wanted.files;
        all.ports &= wanted.ports;
        all.scopes &= wanted.scopes;
        if (!(all.files | all.ports | all.scopes)) {
                errno = EOPNOTSUPP;
                return -1;
        }
        /* Fields behind those that the kernel knows must be 0, and are. */
        return (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
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
        CLEANUP(cleanup_close) int ruleset = create((struct ruleset){UINT64_MAX, UINT64_MAX, UINT64_MAX});
        int r = 0;

        if (ruleset < 0)
                return error_origin(-errno);
        for (size_t i = 0; !r && i < n; i++)
                r = allow_reading(ruleset, readable[i]);
        if (!r && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
                r = error_origin(-errno);
        return r;
}

/* What a kernel does not know it cannot be told to allow, and does not refuse either. */
enum { TRUNCATE = 1 << 14, DEVICE_IOCTLS = 1 << 15 };

static uint64_t files_of(unsigned int rights)
{
        uint64_t files = 0;

        if (rights & LANDLOCK_READ)
                files |= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
        if (rights & LANDLOCK_WRITE)
                files |= LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | TRUNCATE;
        if (rights & LANDLOCK_REMOVE)
                files |= LANDLOCK_ACCESS_FS_REMOVE_FILE;
        return files;
}

static int allow(int ruleset, const struct landlock_grant *grant)
{
        struct landlock_path_beneath_attr rule = {
                .allowed_access = files_of(grant->rights), .parent_fd = grant->fd};
        struct stat st;

        if (fstat(grant->fd, &st) < 0)
                return error_origin(-errno);
        if (!S_ISDIR(st.st_mode))
                rule.allowed_access &=
                        LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE;
        if (!syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
                return 0;
        rule.allowed_access &= ~(uint64_t)TRUNCATE;
        if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
                return error_origin(-errno);
        return 0;
}

int landlock_grant_only(const struct landlock_grant *grants, size_t n)
{
        CLEANUP(cleanup_close)
        int ruleset = create((struct ruleset){.files = ~(uint64_t)DEVICE_IOCTLS, .ports = UINT64_MAX});
        int r = 0;

        if (ruleset < 0)
                return error_origin(-errno);
        for (size_t i = 0; !r && i < n; i++)
                r = allow(ruleset, &grants[i]);
        if (!r && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
                r = error_origin(-errno);
        return r;
}

int landlock_confine_sockets(void)
{
        CLEANUP(cleanup_close) int ruleset = create((struct ruleset){.scopes = UINT64_MAX});

        if (ruleset < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
                return -errno;
        return 0;
}
