/* Names of the columns. */
#include "sandbox/profile.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

static const char *const profile_names[PROFILES] = {
        [PROFILE_JS] = "js",
        [PROFILE_HTTP] = "http",
        [PROFILE_SHELL] = "shell",
};

int profile_find(const char *name)
{
        for (int i = 0; i < PROFILES; i++)
                if (!strcmp(name, profile_names[i]))
                        return i;
        return error_origin(-ENOTSUP);
}
