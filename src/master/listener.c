/* Binding, accepting, refusing. */
#include "master/listener.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "master/lock.h"
#include "wire/codec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 1024, ACCEPTS_PER_TURN = 64, PAUSE_MS = 100, GROUPS_MAX = 1024 };

static bool listed(const int64_t *ids, size_t n, int64_t id)
{
        for (size_t i = 0; i < n; i++)
                if (ids[i] == id)
                        return true;
        return false;
}

static bool in_listed_group(const struct listener_rules *r, int fd, gid_t primary)
{
        gid_t groups[GROUPS_MAX];
        socklen_t len = sizeof(groups);

        if (listed(r->gids, r->n_gids, primary))
                return true;
        if (!r->n_gids || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
                return false;
        for (size_t i = 0; i < len / sizeof(gid_t); i++)
                if (listed(r->gids, r->n_gids, groups[i]))
                        return true;
        return false;
}

bool listener_allows(const struct listener_rules *r, int fd, const struct ucred *peer)
{
        if (!r->n_uids && !r->n_gids)
                return true;
        return !peer->uid || peer->uid == geteuid() || listed(r->uids, r->n_uids, peer->uid) || in_listed_group(r, fd, peer->gid);
}

/* Whoever may not come in is told so before the door closes: a refusal without a word looks like a fault. */
static void say_no(int fd, enum wire_code code, const char *text)
{
        struct wire_refusal why;
        struct buf out;

        wire_refuse(&why, code, "%s", text);
        buf_init(&out, 0);
        if (!wire_encode_refusal(&out, 0, &why, -1) && send(fd, buf_head(&out), buf_size(&out), MSG_NOSIGNAL) < 0)
                log_debug("accept", "the refusal could not be sent: %m");
        buf_fini(&out);
}

/* Out of descriptors: take the connection with the spare one, close it, so that the client learns of it at once. */
static void shed(struct listener *l)
{
        int fd;

        log_warn("accept", "a connection is refused: %m");
        close(l->spare_fd);
        fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
                close(fd);
        l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ev_io_stop(l->loop->ev, &l->acceptor);
        ev_timer_set(&l->pause, loop_seconds(PAUSE_MS), 0.);
        ev_timer_start(l->loop->ev, &l->pause);
}

static void on_pause_over(struct ev_loop *ev, struct ev_timer *w, int events)
{
        struct listener *l = w->data;

        (void)events;
        ev_io_start(ev, &l->acceptor);
}

static void turn_away(int fd, const struct ucred *peer)
{
        char text[64];

        log_warn("accept", "uid %u gid %u pid %d is not allowed", peer->uid, peer->gid, peer->pid);
        snprintf(text, sizeof(text), "uid %u may not use this socket", peer->uid);
        say_no(fd, WIRE_PERMISSION, text);
}

/* The lowest free number is given out first, so a high one means that most are taken. */
static bool takes_reserve(const struct listener *l, int fd)
{
        return l->fd_max && fd >= l->fd_max;
}

static void refuse_crowd(struct listener *l, int fd)
{
        if (!l->crowded)
                log_warn("accept", "connections are refused: the last descriptors are kept for workers");
        l->crowded = true;
        say_no(fd, WIRE_QUEUE_FULL, "too many connections: the supervisor's descriptors are used up");
}

static void admit(struct listener *l, int taken)
{
        CLEANUP(cleanup_close) int fd = taken;
        struct ucred peer;
        socklen_t len = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
                return;
        if (!listener_allows(&l->rules, fd, &peer))
                return turn_away(fd, &peer);
        if (takes_reserve(l, fd))
                return refuse_crowd(l, fd);
        l->crowded = false;
        l->on_accept(l, TAKE_FD(fd), &peer);
}

static void on_acceptable(struct ev_loop *ev, struct ev_io *w, int events)
{
        struct listener *l = w->data;

        (void)ev;
        (void)events;
        for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
                int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd >= 0)
                        admit(l, fd);
                else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                        return shed(l);
                else if (errno != EINTR && errno != ECONNABORTED)
                        return;
        }
}

/* The socket's own directory, as a default path in XDG_RUNTIME_DIR or /run needs one. */
static int make_parent(struct listener *l)
{
        char dir[PATH_MAX];
        char *slash;

        if (snprintf(dir, sizeof(dir), "%s", l->path) >= (int)sizeof(dir))
                return error_origin(-ENAMETOOLONG);
        slash = strrchr(dir, '/');
        if (!slash || slash == dir)
                return 0;
        *slash = 0;
        l->made_parent = !mkdir(dir, 0755);
        return l->made_parent || errno == EEXIST ? 0 : error_origin(-errno);
}

/* The lock file may have been swept away under its owner: who still answers here is alive, whatever the lock says. */
static bool answers(const struct sockaddr_un *addr, pid_t *owner)
{
        CLEANUP(cleanup_close) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct ucred peer = {0};
        socklen_t len = sizeof(peer);

        if (fd < 0 || (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 && errno != EAGAIN))
                return false;
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
        *owner = peer.pid;
        return true;
}

/* Whoever left a socket here that nobody answers at is dead. Anything but a socket is somebody's, and stays. */
static int remove_stale(const struct sockaddr_un *addr, pid_t *owner)
{
        const char *path = addr->sun_path;
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : error_origin(-errno);
        if (!S_ISSOCK(st.st_mode))
                return error_origin(-EEXIST);
        if (answers(addr, owner))
                return LOCK_TAKEN;
        return unlink(path) < 0 && errno != ENOENT ? error_origin(-errno) : 0;
}

static int bind_at(int fd, const char *path, mode_t mode, pid_t *owner)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        mode_t mask;
        int r;

        if (strlen(path) >= sizeof(addr.sun_path))
                return error_origin(-ENAMETOOLONG);
        strcpy(addr.sun_path, path);
        r = remove_stale(&addr, owner);
        if (r)
                return r;
        /* The mode comes by fchmod before bind, so that the socket is never open wider than it should be; and not by its name
         * afterwards, which may be another file's by then. */
        mask = umask(0);
        r = fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
        umask(mask);
        if (!r && listen(fd, BACKLOG) < 0)
                r = -errno;
        return error_origin(r);
}

static int take_lock(struct listener *l, pid_t *owner)
{
        char path[PATH_MAX];
        int r = make_parent(l);

        if (r < 0)
                return r;
        if (snprintf(path, sizeof(path), "%s.lock", l->path) >= (int)sizeof(path))
                return error_origin(-ENAMETOOLONG);
        return lock_take(path, &l->lock_fd, owner);
}

static int open_socket(struct listener *l, pid_t *owner)
{
        struct stat st;
        int r;

        l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (l->fd < 0 || l->spare_fd < 0)
                return error_origin(-errno);
        r = bind_at(l->fd, l->path, l->rules.mode, owner);
        if (!r && lstat(l->path, &st) < 0)
                r = error_origin(-errno);
        if (r)
                return r;
        l->dev = st.st_dev;
        l->ino = st.st_ino;
        return 0;
}

int listener_init(struct listener *l, struct loop *loop, const char *path, const struct listener_rules *rules,
        void (*on_accept)(struct listener *, int fd, const struct ucred *peer), pid_t *owner)
{
        int r;

        *l = (struct listener){.loop = loop, .fd = -1, .spare_fd = -1, .lock_fd = -1, .rules = *rules,
                .on_accept = on_accept, .path = strdup(path)};
        if (!l->path)
                return error_origin(-ENOMEM);
        ev_init(&l->acceptor, on_acceptable);
        ev_init(&l->pause, on_pause_over);
        l->acceptor.data = l->pause.data = l;
        r = take_lock(l, owner);
        if (!r)
                r = open_socket(l, owner);
        if (r)
                return r;
        ev_io_set(&l->acceptor, l->fd, EV_READ);
        ev_io_start(loop->ev, &l->acceptor);
        return 0;
}

/* Another one's socket may stand there by now, if ours was removed. */
static void remove_own(const struct listener *l)
{
        struct stat st;

        if (l->ino && !lstat(l->path, &st) && st.st_ino == l->ino && st.st_dev == l->dev)
                unlink(l->path);
}

void listener_close(struct listener *l)
{
        if (!l->loop)
                return;
        ev_io_stop(l->loop->ev, &l->acceptor);
        ev_timer_stop(l->loop->ev, &l->pause);
        remove_own(l);
        if (l->fd >= 0)
                close(TAKE_FD(l->fd));
        if (l->spare_fd >= 0)
                close(TAKE_FD(l->spare_fd));
        if (l->lock_fd >= 0)
                close(TAKE_FD(l->lock_fd));
        free(TAKE_PTR(l->path));
        l->loop = NULL;
}
