/* The fork server's life: settle in, prepare what the setup asks for, then answer one request after the other. */
#include "spawner/spawner.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "spawner/child.h"
#include "spawner/rlimits.h"
#include "sandbox/instrument.h"
#include "sandbox/jail.h"
#include "sandbox/renounce.h"
#include "spawner/signals.h"
#include "wire/channel.h"
#include "wire/pack.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* More than the command line and the paths of any handler. */
enum { FRAME_MAX = 256 * 1024 };

struct spawner {
        struct channel channel;
        struct wire_spawn_setup setup;
        const struct spawner_class *classes;
        size_t n_classes;
        struct filter filters[PROFILES];
        struct layers layers;
        int learner; /* a socket; 0: nobody learns */
        uint64_t mapped_bytes;
        pid_t master;
        bool many_users; /* each slot's is known here */
        struct cgroup_host groups;
};

/* Every child inherits what is done here. The time zone is read now, so that no worker ever needs its file. */
static int settle_in(int channel_fd)
{
        int r;

        log_open("poppod-spawner");
        signals_of_spawner();
        prctl(PR_SET_NAME, "poppod-spawner");
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
                return error_origin(-errno);
        r = lockdown_clear_environment();
        if (r)
                return r;
        tzset();
        r = fd_set_nonblock(channel_fd, 0);
        return r < 0 ? r : fd_close_from(STDERR_FILENO + 1, channel_fd);
}

/* Reads one message of the master's and checks that it is the expected one. Positive: a channel's condition. */
static int receive(struct spawner *s, const struct wire_message *expected, struct wire_head *head, struct bytes *frame)
{
        struct wire_refusal why = {.message = "another message, or no seq"};
        int r = channel_wait(&s->channel, frame);

        if (r)
                return r;
        if (wire_open(*frame, head, &why) || wire_message_find(expected->kind, WIRE_MASTER, head->op) != expected ||
                (expected->kind == WIRE_CALL && !head->has_seq)) {
                log_error("bad-message", "expected %s from the master: %s", expected->name, why.message);
                return error_origin(-EPROTO);
        }
        return 0;
}

static int receive_setup(struct spawner *s)
{
        struct wire_refusal why;
        struct wire_head head;
        struct bytes frame;
        int r = receive(s, WIRE_MESSAGE(spawn_setup), &head, &frame);

        if (r)
                return r;
        if (wire_decode(WIRE_MESSAGE(spawn_setup), frame, &s->setup, &why)) {
                log_error("bad-message", "setup: %s", why.message);
                return error_origin(-EPROTO);
        }
        log_set_level((enum log_level)s->setup.log_level);
        return 0;
}

/* Children inherit it: they send the listeners of their filters there. */
static int reach_learner(struct spawner *s)
{
        struct bytes path = s->setup.learner;
        struct sockaddr_un at = {.sun_family = AF_UNIX};

        if (!WIRE_HAS(&s->setup, spawn_setup, learner))
                return 0;
        if (path.len >= sizeof(at.sun_path))
                return error_origin(-ENAMETOOLONG);
        memcpy(at.sun_path, path.data, path.len);
        s->learner = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (s->learner < 0 || connect(s->learner, (struct sockaddr *)&at, sizeof(at)) < 0)
                return error_origin(-errno);
        return 0;
}

/* Under such a tool no child loads it, and valgrind does not even let it be built. */
static int prepare_filter(struct spawner *s, enum profile profile)
{
        struct filter *f = &s->filters[profile];
        int r = instrumented() || f->code ? 0 : filter_build(f, profile, false);

        filter_instead(f, FILTER_TRAPS);
        return r;
}

static int prepare_filters(struct spawner *s, const struct spawner_class *class)
{
        int profile, r = 0;

        /* A jailer builds the filter for what it locks up. */
        if (class->jailer)
                return 0;
        for (int p = 0; class->handlers && !r && p < PROFILES; p++)
                r = prepare_filter(s, (enum profile)p);
        if (class->handlers)
                return r;
        profile = profile_find(class->name);
        return profile < 0 ? profile : prepare_filter(s, (enum profile)profile);
}

static int prepare_class(struct spawner *s, const struct spawner_class *class)
{
        int r = prepare_filters(s, class);

        if (class->offer_groups)
                class->offer_groups(&s->groups);
        if (!r && class->prepare)
                r = class->prepare(&s->setup);
        if (r)
                log_error("prepare-failed", "class %s: %s", class->name, error_text(r));
        return r;
}

/* Groups are the supervisor's, and a spawner that follows this one goes on with them. */
static void open_groups(struct spawner *s)
{
        static const char *const parts[CGROUP_PARTS] = {[CGROUP_MEMORY] = "memory", [CGROUP_PIDS] = "processes",
                [CGROUP_CPU] = "CPU quotas", [CGROUP_TIME] = "CPU time", [CGROUP_KILL] = "kill"};

        cgroup_host_open(&s->groups, s->master);
        for (int p = 0; p < CGROUP_PARTS; p++)
                if (cgroup_why(&s->groups, (enum cgroup_part)p))
                        log_info("cgroup", "no control group for %s: %s", parts[p],
                                cgroup_why(&s->groups, (enum cgroup_part)p));
}

static int prepare(struct spawner *s)
{
        const uid_t last = jail_uid(s->master, UINT16_MAX);
        int r = 0;

        filter_prepare_names();
        s->many_users = jail_known_uid(last) == last;
        open_groups(s);
        r = reach_learner(s);
        for (size_t i = 0; !r && i < s->n_classes; i++)
                r = prepare_class(s, &s->classes[i]);
        return r ? r : rlimits_mapped_bytes(&s->mapped_bytes);
}

static int pack_layers(struct buf *out, const struct layers *l)
{
        struct pack p;

        buf_init(out, 0);
        pack_init(&p, out);
        pack_map(&p, (uint32_t)l->n);
        for (size_t i = 0; i < l->n; i++)
                pack_entry_text(&p, l->list[i].name, layer_words[l->list[i].state]);
        return p.error;
}

/* Its children inherit it, so it is no more than what none of them may do. */
static void renounce(struct spawner *s)
{
        renounce_rights(&s->layers, renounce_jailers_capabilities);
        renounce_filter(&s->layers, RENOUNCE_STARTERS);
}

static int announce(struct spawner *s, size_t image_bytes)
{
        struct wire_spawn_ready ready = {0};
        CLEANUP(buf_fini) struct buf layers;
        int r = pack_layers(&layers, &s->layers);

        if (r < 0)
                return r;
        WIRE_SET(&ready, spawn_ready, image_bytes, image_bytes);
        WIRE_SET(&ready, spawn_ready, layers, buf_bytes(&layers));
        r = channel_send(&s->channel, WIRE_MESSAGE(spawn_ready), 0, &ready);
        return r ? r : channel_flush(&s->channel);
}

static int refuse(struct spawner *s, uint64_t seq, const struct wire_refusal *why)
{
        int r;

        log_error("spawn-refused", "%s", why->message);
        r = wire_encode_refusal(&s->channel.out, seq, why, -1);
        return r ? r : channel_flush(&s->channel);
}

static struct lockdown lockdown_of(struct spawner *s, const struct spawner_class *class, const struct wire_spawn *ask)
{
        enum profile profile = (enum profile)(class->handlers ? (int)ask->handler.profile : profile_find(class->name));
        uid_t uid = jail_uid(s->master, ask->slot);

        return (struct lockdown){.setup = &s->setup, .filter = &s->filters[profile], .profile = profile,
                .mapped_bytes = s->mapped_bytes, .parent = s->master, .jailer = class->jailer,
                .uid = s->many_users ? uid : jail_known_uid(uid),
                .learner = ask->learn ? s->learner : 0, .groups = class->offer_groups ? &s->groups : NULL};
}

/* A js worker's channel is blocking on its side: it waits in recv(), since NOFILE 0 makes poll() refuse descriptors. */
static int make_worker(struct spawner *s, const struct spawner_class *class, const struct wire_spawn *ask,
        int fds[static 2], pid_t *pid)
{
        struct lockdown l = lockdown_of(s, class, ask);
        int pair[2], r = fd_pair(pair);

        if (r)
                return r;
        fds[0] = pair[0];
        l.channel_fd = pair[1];
        r = class->nonblocking ? 0 : fd_set_nonblock(pair[1], 0);
        if (!r) {
                *pid = child_start(class, &l, ask, &fds[1]);
                r = *pid < 0 ? (int)*pid : 0;
        }
        close(pair[1]);
        return r;
}

/* A reply that does not get out leaves a worker that nobody knows: it sees its channel closed, and ends. */
static int spawn_one(struct spawner *s, const struct spawner_class *class, const struct wire_spawn *ask, uint64_t seq)
{
        CLEANUP(cleanup_close) int channel = -1;
        CLEANUP(cleanup_close) int pidfd = -1;
        struct wire_spawn_reply reply = {0};
        struct wire_refusal why;
        int fds[2] = {-1, -1}, r;
        pid_t pid = -1;

        r = make_worker(s, class, ask, fds, &pid);
        channel = fds[0];
        pidfd = fds[1];
        if (r) {
                wire_refuse(&why, WIRE_WORKER_CRASHED, "cannot make a %s worker: %s", class->name, error_text(r));
                return refuse(s, seq, &why);
        }
        WIRE_SET(&reply, spawn_reply, pid, (uint64_t)pid);
        r = channel_send_fds(&s->channel, WIRE_MESSAGE(spawn_reply), seq, &reply, fds, 2);
        return r == -EPIPE ? CHANNEL_CLOSED : r;
}

static const struct spawner_class *find_class(const struct spawner *s, struct bytes word)
{
        for (size_t i = 0; i < s->n_classes; i++)
                if (wire_str_is(word, s->classes[i].name))
                        return &s->classes[i];
        return NULL;
}

static int handle_spawn(struct spawner *s, uint64_t seq, struct bytes frame)
{
        const struct wire_message *m = WIRE_MESSAGE(spawn);
        const struct spawner_class *class;
        struct wire_refusal why;
        struct wire_spawn body;
        struct bytes word;

        if (wire_decode(m, frame, &body, &why))
                return refuse(s, seq, &why);
        word = wire_word(m->fields[WIRE_AT_spawn_class].words, body.class);
        class = find_class(s, word);
        if (class && class->handlers == WIRE_HAS(&body, spawn, handler))
                return spawn_one(s, class, &body, seq);
        wire_refuse(&why, WIRE_UNKNOWN_TYPE, "this spawner makes no %.*s workers%s", (int)word.len, (const char *)word.data,
                !class ? "" : class->handlers ? " without a handler" : " for handlers");
        return refuse(s, seq, &why);
}

static int serve(struct spawner *s)
{
        struct wire_head head;
        struct bytes frame;
        int r;

        while (!(r = receive(s, WIRE_MESSAGE(spawn), &head, &frame)))
                if ((r = handle_spawn(s, head.seq, frame)))
                        break;
        return r;
}

static void spawner_fini(struct spawner *s)
{
        for (int p = 0; p < PROFILES; p++)
                filter_fini(&s->filters[p]);
        cgroup_host_close(&s->groups);
        channel_fini(&s->channel);
        if (s->learner > 0)
                close(s->learner);
}

int spawner_main(int channel_fd, const struct spawner_class *classes, size_t n_classes, size_t (*image_bytes)(void))
{
        /* First of all: should the master die from now on, its successor as our parent is told apart by this number. */
        struct spawner s = {.classes = classes, .n_classes = n_classes, .master = getppid()};
        int r;

        cgroup_host_init(&s.groups);
        channel_init(&s.channel, channel_fd, FRAME_MAX, FRAME_MAX);
        r = settle_in(channel_fd);
        if (!r)
                r = receive_setup(&s);
        if (!r)
                r = prepare(&s);
        if (!r)
                renounce(&s);
        if (!r)
                r = announce(&s, image_bytes ? image_bytes() : 0);
        if (!r)
                r = serve(&s);
        if (r != CHANNEL_CLOSED)
                log_error("spawner-failed", "%s", r < 0 ? error_text(r) : "a message is too large");
        spawner_fini(&s);
        return r == CHANNEL_CLOSED ? EXIT_SUCCESS : EXIT_FAILURE;
}
