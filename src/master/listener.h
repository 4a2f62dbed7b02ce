/* The Unix socket: bound with its mode, freed of a dead owner's leftovers, and accepting only whom it may. */
#pragma once

#include "master/loop.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

struct listener_rules {
        mode_t mode;
        const int64_t *uids, *gids; /* both empty: the socket's mode alone decides */
        size_t n_uids, n_gids;
};

struct listener {
        struct loop *loop;
        struct ev_io acceptor;
        struct ev_timer pause; /* after EMFILE: accepting again a little later, not in a busy loop */
        int fd, spare_fd, lock_fd;
        int fd_max;   /* a connection whose number is this high is refused: the rest is for workers; 0: none is */
        bool made_parent; /* the socket's directory was not there before */
        bool crowded; /* so it was, and that was logged */
        char *path;
        dev_t dev; /* of the socket's file, to know it again */
        ino_t ino;
        struct listener_rules rules;
        void (*on_accept)(struct listener *, int fd, const struct ucred *peer);
};

/* Takes the lock beside the socket, binds and listens. LOCK_TAKEN with the owner's pid when another one serves there. */
int listener_init(struct listener *l, struct loop *loop, const char *path, const struct listener_rules *rules,
        void (*on_accept)(struct listener *, int fd, const struct ucred *peer), pid_t *owner);

/* Takes no more connections; the file goes away. Harmless on a zeroed struct. */
void listener_close(struct listener *l);

/* Whether the peer at fd may speak to us: by its uid, or by any of its groups. */
bool listener_allows(const struct listener_rules *rules, int fd, const struct ucred *peer);
