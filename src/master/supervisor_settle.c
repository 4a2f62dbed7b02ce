/*
 * How the master settles in, one step after the other: what is made and opened as whoever poppod was started
 * as; the starter, which keeps those rights; and then all that the master gives up. No client is heard before
 * the last step.
 */
#include "master/supervisor.h"

#include "base/error.h"
#include "base/log.h"
#include "base/paths.h"
#include "master/confine.h"
#include "master/handover.h"
#include "master/lock.h"
#include "master/notify.h"
#include "master/strangers.h"
#include "sandbox/renounce.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static int refuse_second(const char *what, const char *path, pid_t owner)
{
        fprintf(stderr, "poppod: %s %s is in use by poppod with pid %d\n", what, path, owner);
        return EX_TEMPFAIL;
}

int supervisor_refuse(const char *what, const char *path, int r)
{
        fprintf(stderr, "poppod: %s %s: %s\n", what, path, error_text(r));
        return EX_OSERR;
}

/* ---- steps, each 0 or the exit status ---- */

static int find_user(struct supervisor *s)
{
        const char *user = s->config.daemon.user;
        int r = user ? identity_find(user, &s->user) : 0;

        if (r > 0) {
                fprintf(stderr, "poppod: daemon.user: there is no user \"%s\"\n", user);
                return EX_CONFIG;
        }
        s->becomes = user && !r && !geteuid() && s->user.uid;
        return r < 0 ? supervisor_refuse("daemon.user", user, r) : 0;
}

static int open_log(struct supervisor *s)
{
        int r = supervisor_open_log(s);

        return r < 0 ? supervisor_refuse("log", s->config.logging.file, r) : 0;
}

static int choose_socket(struct supervisor *s)
{
        struct paths_socket from = {.flag = s->options->socket_path,
                .env = getenv("POPPO_SOCKET"),
                .config = s->config.daemon.socket_path,
                .runtime_dir = getenv("XDG_RUNTIME_DIR")};
        int r = paths_socket(&from, s->socket_path, sizeof(s->socket_path));

        return r < 0 ? supervisor_refuse("socket", "path", r) : 0;
}

static int lock_state(struct supervisor *s)
{
        const char *dir = s->options->state_dir;
        char path[PATH_MAX];
        pid_t owner;
        int r;

        if (!dir)
                return 0;
        if (mkdir(dir, 0750) < 0 && errno != EEXIST)
                return supervisor_refuse("state directory", dir, -errno);
        if (snprintf(path, sizeof(path), "%s/poppod.lock", dir) >= (int)sizeof(path))
                return supervisor_refuse("state directory", dir, -ENAMETOOLONG);
        r = lock_take(path, &s->state_lock_fd, &owner);
        if (r == LOCK_TAKEN)
                return refuse_second("state directory", dir, owner);
        return r < 0 ? supervisor_refuse("state directory", dir, r) : 0;
}

/* As many descriptors as the system lets us have: one per client, two per worker. */
static int raise_nofile(struct supervisor *s)
{
        struct rlimit limit;

        (void)s;
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 0;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                log_warn("start", "RLIMIT_NOFILE cannot be raised: %s", strerror(errno));
        return 0;
}

/* Before there is an event loop, a client, or anything that is given up. */
static int start_starter(struct supervisor *s)
{
        struct starter_setup setup = {
                .programs = {[HELPER_SPAWNER] = s->options->spawner_program,
                        [HELPER_LOADER] = s->options->loader_program,
                        [HELPER_STORE] = s->options->store_program},
                .user = s->becomes ? &s->user : NULL,
                .memory_bytes = (uint64_t)s->config.daemon.worker.max_memory_bytes,
        };
        int r = starter_link_init(&s->starter, &setup);

        return r < 0 ? supervisor_refuse("the process that starts helpers", "", r) : 0;
}

/* What it would not be shown later. */
static int look_around(struct supervisor *s)
{
        int r = notify_open(&s->notify_fd);

        if (r < 0)
                log_warn("ready", "the service manager cannot be told: %s", error_text(r));
        s->children_fd = strangers_open_list();
        s->processors = get_nprocs_conf();
        tzset();
        return 0;
}

static int hand_over(struct supervisor *s)
{
        const char *what = "socket", *path = s->socket_path;
        int r;

        if (!s->becomes)
                return 0;
        r = handover_socket(path, &s->user);
        if (!r && s->listener.made_parent)
                r = handover_parent(path, &s->user);
        if (!r && s->options->state_dir) {
                what = "state directory";
                path = s->options->state_dir;
                r = handover_directory(path, &s->user);
        }
        if (!r && s->log_fd > STDERR_FILENO) {
                what = "log";
                path = s->config.logging.file;
                r = handover_file(s->log_fd, &s->user);
        }
        if (r < 0)
                fprintf(stderr, "poppod: it cannot be given to daemon.user:\n");
        return r < 0 ? supervisor_refuse(what, path, r) : 0;
}

static int renounce(struct supervisor *s)
{
        const struct confinement c = {.user = s->becomes ? &s->user : NULL,
                .config_path = s->options->config_path,
                .socket_path = s->socket_path,
                .config = &s->config};
        int r = confine(&c, &s->layers);

        return r < 0 ? supervisor_refuse("daemon.user", s->config.daemon.user, r) : 0;
}

/* ---- the way ---- */

static void on_starter_lost(struct starter_link *l)
{
        struct supervisor *s = container_of(l, struct supervisor, starter);

        log_error("starter-lost", "pid %d ended: no helper can be started any more", l->pid);
        s->exit_status = EX_OSERR;
        if (s->state != SUPERVISOR_ENDING)
                supervisor_end(s, false, "its starter ended");
}

static int open_loop(struct supervisor *s, void (*tick)(struct loop *))
{
        int r = loop_init(&s->loop, tick);

        if (r < 0)
                return supervisor_refuse("event", "loop", r);
        supervisor_watch_signals(s);
        starter_link_watch(&s->starter, &s->loop, on_starter_lost);
        return 0;
}

static int listen_for_clients(
        struct supervisor *s, void (*on_accept)(struct listener *, int fd, const struct ucred *who))
{
        struct listener_rules rules = supervisor_listener_rules(&s->config);
        pid_t owner;
        int r = listener_init(&s->listener, &s->loop, s->socket_path, &rules, on_accept, &owner);

        if (r == LOCK_TAKEN)
                return refuse_second("socket", s->socket_path, owner);
        return r < 0 ? supervisor_refuse("socket", s->socket_path, r) : 0;
}

static int take_steps(struct supervisor *s, int (*const steps[])(struct supervisor *))
{
        int r = 0;

        for (size_t i = 0; !r && steps[i]; i++)
                r = steps[i](s);
        return r;
}

int supervisor_settle_in(struct supervisor *s, void (*tick)(struct loop *),
        void (*on_accept)(struct listener *, int fd, const struct ucred *who))
{
        static int (*const before[])(struct supervisor *) = {
                find_user, open_log, choose_socket, lock_state, raise_nofile, start_starter, NULL};
        static int (*const after[])(struct supervisor *) = {look_around, hand_over, renounce, NULL};
        int r = take_steps(s, before);

        if (!r)
                r = open_loop(s, tick);
        if (!r)
                r = listen_for_clients(s, on_accept);
        return r ? r : take_steps(s, after);
}

/* ---- telling ---- */

static void tell_layers(const char *role, const struct layers *l)
{
        char text[256];

        layers_text(l, text, sizeof(text));
        log_info("rights", "%s: %s", role, text);
}

void supervisor_tell_rights(const struct supervisor *s)
{
        const char *user = s->config.daemon.user;

        if (!user && !geteuid())
                log_warn("start", "runs as root; daemon.user names a user that needs none of root's rights");
        if (user && geteuid() != s->user.uid)
                log_warn("start", "daemon.user is %s, but only root can become another user: stays uid %u",
                        user, geteuid());
        tell_layers("master", &s->layers);
        tell_layers("starter", &s->starter.layers);
}
