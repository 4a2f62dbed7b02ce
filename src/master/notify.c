/* The whole of the protocol: datagrams to an address in the environment. */
#include "master/notify.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int notify_open(int *out)
{
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        CLEANUP(cleanup_close) int fd = -1;
        size_t len;

        *out = -1;
        if (!path)
                return 0;
        len = strlen(path);
        if ((*path != '/' && *path != '@') || len >= sizeof(addr.sun_path))
                return error_origin(-EINVAL);
        memcpy(addr.sun_path, path, len);
        if (*path == '@')
                addr.sun_path[0] = 0;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&addr, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
                return error_origin(-errno);
        *out = TAKE_FD(fd);
        return 0;
}

int notify_service(int fd, const char *state)
{
        if (fd >= 0 && send(fd, state, strlen(state), MSG_NOSIGNAL) < 0)
                return error_origin(-errno);
        return 0;
}
