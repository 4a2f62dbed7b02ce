/* Names of the lock-down tables' columns. */
#include "sandbox/profile.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

static const char *const profile_names[PROFILES] = {[PROFILE_JS] = "js"};

int profile_find(const char *class)
{
        for (int i = 0; i < PROFILES; i++)
                if (!strcmp(class, profile_names[i]))
                        return i;
        return error_origin(-ENOTSUP);
}
