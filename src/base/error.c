/* Where failures are traced. The place goes to the debug log; what it means to a user is the caller's to say. */
#include "base/error.h"

#include "base/log.h"

#include <string.h>

int error_origin_at(int r, const char *file, int line, const char *func)
{
        if (r < 0)
                log_debug("error", "%s (%s:%d %s)", error_text(r), file, line, func);
        return r;
}

const char *error_text(int r)
{
        return strerror(r < 0 ? -r : r);
}
