/* The connection's life: a handle is made, connects, greets, and closes. */
#include "client/client.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/paths.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#ifndef POPPO_VERSION
#error "the build defines POPPO_VERSION"
#endif

_Static_assert(
        CLIENT_PATH_MAX == sizeof(((struct sockaddr_un *)0)->sun_path), "a socket's path fits the handle");

const char *poppo_version(void)
{
        return POPPO_VERSION;
}

int poppo_new(struct poppo **out)
{
        struct poppo *p = calloc(1, sizeof(*p));

        *out = NULL;
        if (!p)
                return -ENOMEM;
        p->lost = reply_new_lost();
        if (!p->lost) {
                free(p);
                return -ENOMEM;
        }
        channel_init(&p->ch, -1, CLIENT_FRAME_MAX, 0);
        map_init(&p->calls);
        p->out_limit = CLIENT_OUT_DEFAULT;
        p->retry_after = -1;
        strcpy(p->client, "libpoppo");
        *out = p;
        return 0;
}

void poppo_free(struct poppo *p)
{
        if (!p)
                return;
        assert(!p->in_callback);
        poppo_close(p);
        map_fini(&p->calls);
        poppo_reply_free(p->lost);
        free(p);
}

void poppo_close(struct poppo *p)
{
        assert(!p->in_callback);
        if (p->ch.fd >= 0)
                client_lose(p);
}

int poppo_set_client(struct poppo *p, const char *name)
{
        size_t len = strlen(name);

        client_clear(p);
        if (!len || len > CLIENT_NAME_MAX)
                return client_fail(p, -EINVAL, "a client's name must have 1 to %d bytes", CLIENT_NAME_MAX);
        memcpy(p->client, name, len + 1);
        return 0;
}

int poppo_set_timeout(struct poppo *p, int64_t ms)
{
        client_clear(p);
        if (ms < 0)
                return client_fail(p, -EINVAL, "a timeout cannot be negative");
        p->timeout_ms = ms < CLIENT_TIMEOUT_MAX ? ms : CLIENT_TIMEOUT_MAX;
        return 0;
}

int poppo_set_buffer(struct poppo *p, size_t bytes)
{
        client_clear(p);
        if (p->ch.fd >= 0)
                return client_fail(p, -EISCONN, "the buffer's size is set before connecting");
        if (!bytes)
                return client_fail(p, -EINVAL, "a buffer of 0 bytes takes no call");
        p->out_limit = bytes;
        return 0;
}

static bool exists(const char *path)
{
        return !access(path, F_OK);
}

/* A user's own supervisor comes before the machine's, but only where there is one. */
static int choose_path(struct poppo *p, const char *given)
{
        const char *env = getenv("POPPO_SOCKET");
        struct paths_socket from = {.flag = given, .env = env, .runtime_dir = getenv("XDG_RUNTIME_DIR")};
        bool named = (given && *given) || (env && *env);
        int r = paths_socket(&from, p->socket_path, sizeof(p->socket_path));

        if (r < 0)
                return client_fail(p, r, "the socket's path has more than %d bytes", CLIENT_PATH_MAX - 1);
        if (!named && !exists(p->socket_path) && exists(PATHS_SOCKET))
                strcpy(p->socket_path, PATHS_SOCKET);
        return 0;
}

/* A supervisor whose backlog is full makes connect() wait; the send timeout is what bounds that. */
static void bound_connect(int fd, int64_t timeout_ms)
{
        struct timeval tv = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static int open_socket(struct poppo *p)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return error_origin(-errno);
        bound_connect(fd, p->timeout_ms);
        strcpy(addr.sun_path, p->socket_path);
        if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
                int r = errno == EAGAIN ? -ETIMEDOUT : -errno;

                close(fd);
                return error_origin(r);
        }
        return fd;
}

/* A callback that is told of a loss may well try; the other callbacks of that loss have not run yet. */
static int refuse_connect(struct poppo *p)
{
        client_clear(p);
        if (p->in_callback)
                return client_fail(p, -EDEADLK, "a callback must not connect");
        return p->ch.fd >= 0 ? client_fail(p, -EISCONN, "already connected to %s", p->server) : 0;
}

int poppo_connect(struct poppo *p, const char *socket_path)
{
        int fd, r;

        r = refuse_connect(p);
        if (r < 0)
                return r;
        r = choose_path(p, socket_path);
        if (r < 0)
                return r;
        fd = open_socket(p);
        if (fd < 0)
                return client_fail(p, fd, "cannot connect to %s: %s", p->socket_path, error_text(fd));
        return poppo_attach(p, fd);
}

/* hello, whose reply says who is there and how large a frame may be. */
static int greet(struct poppo *p)
{
        CLEANUP(buf_fini) struct buf args;
        struct wire_hello hello = {0};
        struct poppo_reply *reply;
        const char *name;
        int64_t max_frame;
        int r;

        buf_init(&args, 0);
        WIRE_SET(&hello, hello, version, 1);
        WIRE_SET(&hello, hello, client, wire_str(p->client));
        r = wire_encode_map(&args, WIRE_MESSAGE(hello), &hello);
        if (r < 0)
                return client_fail(p, r, "%s", error_text(r));
        r = client_call(p, "hello", buf_bytes(&args), &reply);
        if (r == -EPROTO)
                return client_fail(p, r, "what listens there is no poppod: it answers in another language");
        if (r)
                return r;
        name = poppo_reply_string(reply, "/server", NULL);
        if (!name || poppo_reply_int(reply, "/pid", &p->server_pid) < 0 ||
                poppo_reply_int(reply, "/maxFrameBytes", &max_frame) < 0 || max_frame < 1 ||
                max_frame > UINT32_MAX)
                r = client_fail(p, -EPROTO, "what listens there is no poppod: its greeting has a wrong or missing field");
        else
                p->max_send = (size_t)max_frame;
        snprintf(p->server, sizeof(p->server), "%s", name ? name : "");
        poppo_reply_free(reply);
        return r;
}

int poppo_attach(struct poppo *p, int fd)
{
        int r;

        r = refuse_connect(p);
        if (r < 0) {
                close(fd);
                return r;
        }
        channel_init(&p->ch, fd, CLIENT_FRAME_MAX, p->out_limit);
        p->server[0] = '\0';
        p->server_pid = 0;
        p->max_send = CHANNEL_FRAME_MAX;
        r = fd_set_nonblock(fd, 1);
        r = r < 0 ? client_fail(p, r, "%s", error_text(r)) : greet(p);
        if (r)
                poppo_close(p);
        return r;
}

const char *poppo_socket_path(const struct poppo *p)
{
        return p->socket_path;
}

const char *poppo_server_name(const struct poppo *p)
{
        return p->server;
}

int64_t poppo_server_pid(const struct poppo *p)
{
        return p->server_pid;
}
