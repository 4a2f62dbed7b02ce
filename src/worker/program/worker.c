/*
 * From the jail to the program's end. The channel is the program's alone as long as it lives: what this
 * process has to say is said before that and after.
 */
#include "worker/program/worker.h"

#include "base/error.h"
#include "sandbox/filter.h"
#include "sandbox/instrument.h"
#include "sandbox/jail_probe.h"
#include "wire/exits.h"
#include "worker/layers.h"
#include "worker/program/launch.h"
#include "worker/program/tail.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((uint64_t)1024 * 1024)

/* What a runtime takes before it has done anything; what a private directory holds; a tree with its threads.
 */
enum {
        RUNTIME_MIB = 256,
        DISK_MIB = 64,
        DISK_FILES = 4096,
        PROCESSES = 64,
        DESCRIPTORS = 256,
        CPU_GRACE_S = 60,
        CHANNEL = 3,
        LEARNER,
        PIECES_MAX = 64,
};

static struct wire_spawn_setup setup;
static struct filter filters[PROFILES];
static const struct cgroup_host *groups;

static struct {
        struct launch launch;
        enum profile profile;
        struct jail jail;
        struct jail_tree tree;
        struct tail tail;
        int channel;
} worker;

/* Of a program under js or http the kernel sees the start as well. A tree is no part of a sanitizer's
 * runtime, so filters hold for it also then; valgrind cannot even build them. */
int worker_program_prepare(const struct wire_spawn_setup *s)
{
        int r = 0;

        setup = *s;
        for (int p = 0; !r && !RUNNING_ON_VALGRIND && p < PROFILES; p++)
                r = filter_build(&filters[p], (enum profile)p, p != PROFILE_SHELL);
        /* Who ends for a call that it does not know of wants to know which. */
        filter_instead(&filters[PROFILE_JS], FILTER_ASKS);
        filter_instead(&filters[PROFILE_HTTP], FILTER_ASKS);
        return r;
}

void worker_program_offer_groups(const struct cgroup_host *offered)
{
        groups = offered;
}

int worker_program_load(const struct wire_spawn *ask, struct wire_refusal *why)
{
        if (!WIRE_HAS(&ask->handler, handler, program))
                return wire_refuse(why, WIRE_WORKER_CRASHED, "no program is named");
        return launch_read(&ask->handler, &worker.launch, why);
}

/* ---- words ---- */

/* When the master does not take it, there is the exit status. */
static void say(const struct wire_message *m, const void *body)
{
        struct buf frame;

        buf_init(&frame, 0);
        for (int r = wire_encode(&frame, m, 0, body); !r && buf_size(&frame);) {
                ssize_t n = send(worker.channel, buf_head(&frame), buf_size(&frame), MSG_NOSIGNAL);

                if (n <= 0 && errno != EINTR)
                        break;
                buf_consume(&frame, n > 0 ? (size_t)n : 0);
        }
        buf_fini(&frame);
}

__attribute__((format(printf, 1, 2))) static void say_failed(const char *format, ...)
{
        struct wire_worker_failed failed = {0};
        char text[400];
        va_list ap;

        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        WIRE_SET(&failed, worker_failed, message, wire_str(text));
        say(WIRE_MESSAGE(worker_failed), &failed);
}

static _Noreturn void give_up(const char *what, int r)
{
        say_failed("%s: %s", what, *worker.jail.fault ? worker.jail.fault : error_text(r));
        _exit(WORKER_EXIT_HANDLER);
}

/* ---- the jail ---- */

/* The kernel counts over a worker's life, the configuration over one task's. */
static uint64_t cpu_seconds(void)
{
        if (!setup.max_cpu_ms || !setup.max_tasks)
                return 0;
        return 2 * setup.max_tasks * (setup.max_cpu_ms / 1000 + 1) + CPU_GRACE_S;
}

static int open_jail(const struct wire_spawn *ask, const struct filter *filter)
{
        const struct jail_spec spec = {
                .filter = filter && filter->len ? filter : NULL,
                .paths = (const char *const *)worker.launch.paths,
                .network = ask->handler.network,
                .uid = jail_uid(getppid(), ask->slot),
                .disk_bytes = DISK_MIB * MIB,
                .disk_files = DISK_FILES,
                .memory_bytes = setup.max_memory_bytes + RUNTIME_MIB * MIB,
                .cpu_seconds = cpu_seconds(),
                .processes = PROCESSES,
                .descriptors = DESCRIPTORS,
                .learner = ask->learn ? LEARNER : 0,
                .tree_memory_bytes = ask->handler.tree_memory,
                .groups = groups,
                .slot = (unsigned int)ask->slot,
        };

        return jail_open(&worker.jail, &spec);
}

static int ask_for_a_socket(void *arg)
{
        (void)arg;
        return socket(AF_INET, SOCK_RAW, 0) < 0;
}

/* Under js and http whatever is not listed kills, and no such socket is. */
static enum layer_state probe_killing_filter(void)
{
        struct jail_command command = {.fds = {-1, -1, -1}, .n_fds = 3, .call = ask_for_a_socket};
        struct jail_tree tree;
        struct jail_end end = {.how = JAIL_UNKNOWN};

        if (jail_tree_open(&worker.jail, &tree) < 0)
                return LAYER_ABSENT;
        if (!jail_tree_start(&tree, &command))
                jail_tree_wait(&tree, &end);
        jail_tree_close(&tree);
        return end.how == JAIL_RAN && WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGSYS
                       ? LAYER_ENFORCED
                       : LAYER_ABSENT;
}

/* What looks into the jail needs calls that these two profiles do not have: it looks without the filter
 * first. */
static int probe(const struct wire_spawn *ask, enum layer_state states[JAIL_N_LAYERS])
{
        const struct filter *filter = &filters[ask->handler.profile];
        bool kills = ask->handler.profile != PROFILE_SHELL, apart = kills || ask->learn;
        int r = open_jail(ask, apart ? NULL : filter);

        if (!r)
                r = jail_probe(&worker.jail, states);
        if (r || !apart)
                return r;
        r = open_jail(ask, filter);
        if (ask->learn)
                return r;
        states[JAIL_LAYER_seccomp] = r || !filter->len ? LAYER_ABSENT : probe_killing_filter();
        return r;
}

static void say_locked(struct bytes own, const enum layer_state states[JAIL_N_LAYERS])
{
        struct wire_worker_locked locked = {0};
        struct buf map;

        buf_init(&map, 0);
        if (layers_join(own, states, &map) < 0)
                _exit(WORKER_EXIT_MEMORY);
        WIRE_SET(&locked, worker_locked, layers, buf_bytes(&map));
        say(WIRE_MESSAGE(worker_locked), &locked);
        buf_fini(&map);
}

/* ---- the program ---- */

static void start(void)
{
        struct jail_command command = {
                .argv = worker.launch.argv, .envp = worker.launch.envp, .n_fds = CHANNEL + 1};
        int out = -1, r = tail_open(&worker.tail, &out);

        if (!r)
                r = jail_tree_open(&worker.jail, &worker.tree);
        command.fds[0] = -1;
        command.fds[1] = command.fds[2] = out;
        command.fds[CHANNEL] = worker.channel;
        if (!r)
                r = jail_tree_start(&worker.tree, &command);
        if (r)
                give_up("no jail for the program", r);
        close(out);
}

/* The tree's end, and nothing else: that the channel is closed is the program's to see. */
static void wait_for_end(struct jail_end *end)
{
        struct pollfd fds[2] = {{.fd = worker.tree.pidfd, .events = POLLIN}, {.events = POLLIN}};

        while (!fds[0].revents) {
                fds[1].fd = worker.tail.fd;
                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                        _exit(WORKER_EXIT_CHANNEL);
                if (fds[1].revents)
                        tail_read(&worker.tail);
        }
        for (int i = 0; i < PIECES_MAX && worker.tail.fd >= 0; i++)
                tail_read(&worker.tail);
        jail_tree_wait(&worker.tree, end);
}

static _Noreturn void die_of(int sig)
{
        const struct rlimit none = {0};
        sigset_t all;

        setrlimit(RLIMIT_CORE, &none);
        signal(sig, SIG_DFL);
        sigfillset(&all);
        sigprocmask(SIG_UNBLOCK, &all, NULL);
        kill(getpid(), sig);
        _exit(WORKER_EXIT_HANDLER);
}

/* What it left in its standard error is worth a word when it has failed. */
static _Noreturn void end_like(int status, const char *denied)
{
        const char *text = tail_text(&worker.tail);

        if (status && (*denied || *text))
                say_failed("%s%s%s", denied, *denied && *text ? "; " : "", text);
        if (WIFSIGNALED(status))
                die_of(WTERMSIG(status));
        _exit(WEXITSTATUS(status) == WORKER_EXIT_TREE_MEMORY ? WORKER_EXIT_HANDLER : WEXITSTATUS(status));
}

/* This status is never a program's own. */
static _Noreturn void end_without_memory(const struct jail_end *how)
{
        say_failed("%s and its processes needed more than the %llu bytes of memory that they may have together "
                   "(maxTreeMemoryBytes); %llu were in use",
                worker.launch.argv[0], (unsigned long long)worker.jail.spec.tree_memory_bytes,
                (unsigned long long)how->peak_bytes);
        _exit(WORKER_EXIT_TREE_MEMORY);
}

static _Noreturn void end(const struct jail_end *how)
{
        if (how->out_of_memory && how->full)
                end_without_memory(how);
        switch (how->how) {
        case JAIL_RAN:
                end_like(how->status, how->denied);
        case JAIL_NOT_FOUND:
                say_failed("%s cannot be executed: %s", worker.launch.argv[0], error_text(how->error));
                break;
        case JAIL_NOT_STARTED:
                say_failed("no jail for the program: %s: %s", how->what, error_text(how->error));
                break;
        case JAIL_UNKNOWN:
                /* Its init was killed, and took everything along. */
                end_like(SIGKILL, "");
        }
        _exit(WORKER_EXIT_HANDLER);
}

_Noreturn void worker_program_run(int channel_fd, const struct wire_spawn *ask, struct bytes layers)
{
        enum layer_state states[JAIL_N_LAYERS];
        struct jail_end how;
        int r;

        worker.channel = channel_fd;
        if (ask->learn)
                filter_instead(&filters[ask->handler.profile], FILTER_LEARNS);
        jail_init(&worker.jail);
        r = probe(ask, states);
        if (r)
                give_up("no program can be jailed", r);
        say_locked(layers, states);
        start();
        wait_for_end(&how);
        end(&how);
}
