/* A process of its own that is waited for by every caller: it answers at once, and writes nothing before the
 * end. */
#include "spawner/learner.h"

#include "base/error.h"
#include "sandbox/listener.h"
#include "spawner/signals.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

/* Spawners, one after the other; processes with a filter at once; different calls. */
enum { SPAWNERS_MAX = 16, LISTENERS_MAX = 512, CALLS_MAX = 1024, FIXED = 2, EXAMPLE_ARGS = 4 };

struct learned {
        char name[FILTER_CALL_NAME];
        enum filter_action now;
        uint64_t times;
        struct seccomp_data example;
};

static struct {
        struct pollfd fds[FIXED + SPAWNERS_MAX +
                          LISTENERS_MAX]; /* standard input, the socket, spawners and listeners */
        struct listener_filter of[FIXED + SPAWNERS_MAX + LISTENERS_MAX];
        bool is_spawner[FIXED + SPAWNERS_MAX + LISTENERS_MAX];
        size_t n_fds;
        struct learned calls[CALLS_MAX];
        size_t n_calls;
        struct listener_filter filter; /* of the last one: they are all alike */
        uint64_t spawners, filters, lost;
} learner;

/* ---- counting ---- */

static struct learned *find(const char *name, enum filter_action now)
{
        struct learned *l = learner.calls;

        for (; l < learner.calls + learner.n_calls; l++)
                if (!strcmp(l->name, name) && l->now == now)
                        return l;
        if (learner.n_calls == CALLS_MAX)
                return NULL;
        learner.n_calls++;
        snprintf(l->name, sizeof(l->name), "%s", name);
        l->now = now;
        return l;
}

static void count(const struct listener_filter *of, const struct seccomp_data *call)
{
        char name[FILTER_CALL_NAME];
        struct learned *l;

        filter_name_call(call->arch, call->nr, name);
        l = find(name, filter_verdict(of->profile, of->starts, call));
        if (!l) {
                learner.lost++;
                return;
        }
        if (!l->times++)
                l->example = *call;
}

/* ---- listening ---- */

static void add(int fd, bool is_spawner, struct listener_filter of)
{
        if (learner.n_fds == sizeof(learner.fds) / sizeof(learner.fds[0])) {
                learner.lost++;
                close(fd);
                return;
        }
        learner.fds[learner.n_fds] = (struct pollfd){.fd = fd, .events = POLLIN};
        learner.is_spawner[learner.n_fds] = is_spawner;
        learner.of[learner.n_fds++] = of;
}

static void drop(size_t i)
{
        close(learner.fds[i].fd);
        learner.n_fds--;
        learner.fds[i] = learner.fds[learner.n_fds];
        learner.is_spawner[i] = learner.is_spawner[learner.n_fds];
        learner.of[i] = learner.of[learner.n_fds];
}

static void hear_spawner(size_t i)
{
        struct listener_filter of;
        int fd = listener_receive(learner.fds[i].fd, &of);

        if (fd == -EAGAIN)
                return;
        if (fd < 0 || (unsigned int)of.profile >= PROFILES)
                return drop(i);
        learner.filter = of;
        learner.filters++;
        add(fd, false, of);
}

/* A filter that nobody has any more hangs up. */
static void hear_filter(size_t i)
{
        struct seccomp_notif call;

        if (!(learner.fds[i].revents & POLLIN))
                return drop(i);
        if (listener_next(learner.fds[i].fd, &call))
                return;
        count(&learner.of[i], &call.data);
        listener_let(learner.fds[i].fd, &call);
}

static void accept_spawner(void)
{
        int fd = accept4(learner.fds[1].fd, NULL, NULL, SOCK_CLOEXEC);

        learner.spawners++;
        if (fd >= 0)
                add(fd, true, (struct listener_filter){0});
}

/* Until standard input is closed: whoever started this has ended, and all workers with it. */
static void listen_to_all(void)
{
        while (poll(learner.fds, learner.n_fds, -1) > 0 || errno == EINTR) {
                if (learner.fds[0].revents)
                        return;
                /* From the last one: dropping moves it. */
                for (size_t i = learner.n_fds; i-- > FIXED;)
                        if (learner.fds[i].revents && learner.is_spawner[i])
                                hear_spawner(i);
                        else if (learner.fds[i].revents)
                                hear_filter(i);
                if (learner.fds[1].revents)
                        accept_spawner();
        }
}

/* ---- telling ---- */

static const char *const words[FILTER_ACTIONS] = {
#define WORD(word) [FILTER_##word] = #word
        WORD(ALLOW), WORD(OWN), WORD(SOCKET), WORD(UNIX), WORD(IOCTL), WORD(PERSONA), WORD(NOEXEC),
        WORD(RDONLY), WORD(INET), WORD(OPTION), WORD(PAIR), WORD(FLAGS), WORD(PENDING), WORD(HANDLER),
        WORD(SELF), WORD(THREAD), WORD(REFUSE), WORD(ABSENT), WORD(KILL), WORD(NONE)};
static const char *const profiles[PROFILES] = {
        [PROFILE_JS] = "js", [PROFILE_HTTP] = "http", [PROFILE_SHELL] = "shell"};

static int by_times(const void *a, const void *b)
{
        const struct learned *one = a, *other = b;

        return one->times != other->times ? (one->times < other->times ? 1 : -1)
                                          : strcmp(one->name, other->name);
}

static void print_call(const struct learned *l)
{
        printf("  %-24s %-8s %8llu  %s(", l->name, words[l->now], (unsigned long long)l->times, l->name);
        for (int i = 0; i < EXAMPLE_ARGS; i++)
                printf("%s0x%llx", i ? ", " : "", (unsigned long long)l->example.args[i]);
        puts(", ...)");
}

static const struct filter_rule *rule_named(const char *name)
{
        for (size_t i = 0; i < filter_n_rules; i++)
                if (!strcmp(filter_rules[i].name, name))
                        return &filter_rules[i];
        return NULL;
}

/* As it would stand in the table: a program that reads or changes rows of it can be fed with this. */
static void print_row(const struct learned *l, const char *type)
{
        const struct filter_rule *rule = rule_named(l->name);

        if (strchr(l->name, ' '))
                return;
        printf("SYSCALL(%s", l->name);
        for (int p = 0; p < PROFILES; p++) {
                enum filter_action now = rule ? rule->action[p] : filter_rest((enum profile)p);

                printf(", %s", words[p == (int)learner.filter.profile ? FILTER_ALLOW : now]);
        }
        printf(", %s, \"%s%s%s\")\n", words[rule ? rule->start : FILTER_NONE], rule ? rule->reason : "",
                rule ? "; " : "", type);
}

/* One row for each call, also where it was answered in two ways. */
static bool is_second(size_t i)
{
        for (size_t k = 0; k < i; k++)
                if (!strcmp(learner.calls[k].name, learner.calls[i].name))
                        return true;
        return false;
}

static void tell(const char *type)
{
        const char *profile = profiles[learner.filter.profile];

        /* A supervisor that did not start has said why. */
        if (!learner.filters) {
                if (learner.spawners)
                        printf("poppod: no worker of %s had a filter, so nothing was learned\n", type);
                return;
        }
        if (!learner.n_calls) {
                printf("poppod: the profile %s is enough for all that %s did\n", profile, type);
                return;
        }
        qsort(learner.calls, learner.n_calls, sizeof(learner.calls[0]), by_times);
        printf("poppod: what %s did and the profile %s does not let pass:\n\n  %-24s %-8s %8s  %s\n", type,
                profile, "call", "answer", "times", "for example");
        for (size_t i = 0; i < learner.n_calls; i++)
                print_call(&learner.calls[i]);
        puts("\nAs rows of sandbox/syscalls.def:\n");
        for (size_t i = 0; i < learner.n_calls; i++)
                if (!is_second(i))
                        print_row(&learner.calls[i], type);
        if (learner.lost)
                printf("\n%llu more were not counted\n", (unsigned long long)learner.lost);
}

static int open_socket(const char *path)
{
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        struct sockaddr_un at = {.sun_family = AF_UNIX};

        if (strlen(path) >= sizeof(at.sun_path))
                return -ENAMETOOLONG;
        strcpy(at.sun_path, path);
        if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, SPAWNERS_MAX) < 0)
                return -errno;
        return fd;
}

static void remove_place(const char *path)
{
        char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

        unlink(path);
        snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
        rmdir(dir);
}

int learner_main(const char *path, const char *type)
{
        int fd = open_socket(path);

        if (fd < 0) {
                fprintf(stderr, "poppod: %s: %s\n", path, error_text(fd));
                return EX_OSERR;
        }
        /* Ctrl-C is for whoever started this. */
        signals_of_spawner();
        filter_prepare_names();
        learner.fds[0] = (struct pollfd){.fd = STDIN_FILENO};
        learner.fds[1] = (struct pollfd){.fd = fd, .events = POLLIN};
        learner.n_fds = FIXED;
        /* The path is there, and can be reached. */
        if (write(STDIN_FILENO, "", 1) != 1)
                return EX_OSERR;
        listen_to_all();
        tell(type);
        remove_place(path);
        return fflush(stdout) ? EX_IOERR : EX_OK;
}
