/* The choice of the socket's path, shared by the supervisor and its clients so that they always meet. */
#include "base/paths.h"

#include "base/error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

static bool given(const char *text)
{
        return text && *text;
}

int paths_socket(const struct paths_socket *from, char *out, size_t size)
{
        const char *const explicit[] = {from->flag, from->env, from->config};
        const char *path = PATHS_SOCKET, *tail = "";
        int n;

        if (given(from->runtime_dir)) {
                path = from->runtime_dir;
                tail = "/poppo/poppo.sock";
        }
        for (size_t i = 0; i < sizeof(explicit) / sizeof(explicit[0]); i++)
                if (given(explicit[i])) {
                        path = explicit[i];
                        tail = "";
                        break;
                }
        n = snprintf(out, size, "%s%s", path, tail);
        return n < 0 || (size_t)n >= size ? error_origin(-ENAMETOOLONG) : 0;
}
