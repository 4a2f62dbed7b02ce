/* The layers, the filter last. */
#include "store/confine.h"

#include "base/cleanup.h"
#include "sandbox/identity.h"
#include "sandbox/instrument.h"
#include "sandbox/landlock.h"
#include "sandbox/renounce.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The file, its log, its journal and its copy stand in one directory, and come and go by their names. */
static int open_directory_of(const char *path)
{
        char dir[PATH_MAX];
        char *slash;

        if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir))
                return -1;
        slash = strrchr(dir, '/');
        if (slash)
                slash[slash == dir] = 0;
        return open(slash ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static enum layer_state lay_landlock(const char *path)
{
        CLEANUP(cleanup_close) int dir = path && *path ? open_directory_of(path) : -1;
        const struct landlock_grant grant = {dir, LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_REMOVE};
        int probe;

        if (instrumented() || landlock_grant_only(&grant, dir >= 0) < 0)
                return LAYER_ABSENT;
        probe = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (probe >= 0)
                close(probe);
        return probe < 0 && errno == EACCES ? LAYER_ENFORCED : LAYER_PARTIAL;
}

void confine(const char *path, struct layers *out)
{
        /* Root may have to do with a directory that is another user's. */
        renounce_rights(out, geteuid() ? 0 : IDENTITY_CAPABILITY(CAP_DAC_OVERRIDE));
        layers_add(out, "landlock", lay_landlock(path));
        renounce_filter(out, RENOUNCE_STORE);
}
