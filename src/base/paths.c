/* The socket's path, the same for the supervisor and its clients so that they always meet; and where our programs are. */
#include "base/paths.h"

#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* The kernel's answer: what the caller said our name was is not believed. */
static int own_folder(char out[static PATH_MAX])
{
        ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
        char *slash;

        if (n < 0)
                return error_origin(-errno);
        out[n] = '\0';
        slash = strrchr(out, '/');
        if (!slash)
                return error_origin(-ENOENT);
        *slash = '\0';
        return 0;
}

int paths_beside(const char *name, char *out, size_t size)
{
        char folder[PATH_MAX] = "";
        bool absolute = *name == '/';
        int n, r = absolute ? 0 : own_folder(folder);

        if (r < 0)
                return r;
        n = snprintf(out, size, "%s%s%s", folder, absolute ? "" : "/", name);
        return n < 0 || (size_t)n >= size ? error_origin(-ENAMETOOLONG) : 0;
}

bool paths_is_program(const char *path)
{
        struct stat st;

        return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

bool paths_find_program(const char *const *names, size_t n, char *out, size_t size)
{
        for (size_t i = 0; i < n; i++)
                if (!paths_beside(names[i], out, size) && paths_is_program(out))
                        return true;
        return false;
}
