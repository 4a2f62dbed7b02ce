/* Asking, and waiting for the answer. */
#include "master/starter_link.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pidfd.h"
#include "sandbox/renounce.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

/* ---- answers ---- */

/* The answer to a question that was given up: what was started is of no use, and nobody else will reap it. */
static void drop_late(const struct starter_answer *answer, int pidfd)
{
        if (pidfd < 0 || answer->result <= 0)
                return;
        pidfd_signal(pidfd, answer->result, SIGKILL);
        while (waitpid(answer->result, NULL, 0) < 0 && errno == EINTR)
                ;
        close(pidfd);
}

/* 0; -EPIPE: there is nobody any more; or another error. */
static int receive(struct starter_link *s, struct starter_answer *answer, int *pidfd)
{
        int r = fd_receive_record(s->sock, answer, sizeof(*answer), pidfd);

        return r > 0 ? error_origin(-EPIPE) : r;
}

static int wait_until(const struct starter_link *s, int64_t end)
{
        struct pollfd p = {.fd = s->sock, .events = POLLIN};
        int64_t left;
        int n;

        do {
                left = (end - clock_now()) / NS_PER_MS;
                n = left <= 0 ? 0 : poll(&p, 1, (int)left);
        } while (n < 0 && errno == EINTR);
        if (n <= 0)
                return error_origin(n ? -errno : -ETIMEDOUT);
        return 0;
}

static int ask(struct starter_link *s, struct starter_request *request, int passed,
        struct starter_answer *answer, int *pidfd)
{
        int64_t end = clock_now() + PATIENCE_MS * NS_PER_MS;
        int r;

        request->number = ++s->number;
        r = fd_send_record(s->sock, request, sizeof(*request), passed);
        while (!r) {
                r = wait_until(s, end);
                if (!r)
                        r = receive(s, answer, pidfd);
                if (!r && answer->number == request->number)
                        return answer->result < 0 ? error_origin(answer->result) : 0;
                if (!r)
                        drop_late(answer, *pidfd);
        }
        return r;
}

pid_t starter_link_start(struct starter_link *s, enum helper which, int channel, int *pidfd)
{
        struct starter_request request = {.what = STARTER_START, .which = (int32_t)which};
        struct starter_answer answer;
        int r = ask(s, &request, channel, &answer, pidfd);

        return r < 0 ? r : answer.result;
}

int starter_link_kill(struct starter_link *s, pid_t pid)
{
        struct starter_request request = {.what = STARTER_KILL, .which = pid};
        struct starter_answer answer;
        int none;

        return ask(s, &request, -1, &answer, &none);
}

static int ask_layers(struct starter_link *s)
{
        struct starter_request request = {.what = STARTER_LAYERS};
        struct starter_answer answer;
        int none, r = ask(s, &request, -1, &answer, &none);

        if (r < 0)
                return r;
        for (int i = 0; i < answer.result && i < LAYERS_MAX && starter_layers[i]; i++)
                layers_add(&s->layers, starter_layers[i], (enum layer_state)answer.states[i]);
        return 0;
}

/* ---- life and death ---- */

int starter_link_init(struct starter_link *s, const struct starter_setup *setup)
{
        CLEANUP(cleanup_close) int theirs = -1;
        pid_t master = getpid();
        int pair[2];

        *s = (struct starter_link){.sock = -1, .pidfd = -1, .setup = *setup};
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return error_origin(-errno);
        s->sock = pair[0];
        theirs = pair[1];
        s->pid = fork();
        if (!s->pid)
                starter_main(setup, theirs, master);
        if (s->pid < 0) {
                s->pid = 0;
                return error_origin(-errno);
        }
        s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
        close(TAKE_FD(theirs));
        return ask_layers(s);
}

static void on_readable(struct ev_loop *ev, struct ev_io *w, int events)
{
        struct starter_link *s = w->data;
        struct starter_answer answer;
        int pidfd, r = receive(s, &answer, &pidfd);

        (void)events;
        if (!r)
                return drop_late(&answer, pidfd);
        ev_io_stop(ev, w);
        s->on_lost(s);
}

void starter_link_watch(struct starter_link *s, struct loop *loop, void (*on_lost)(struct starter_link *))
{
        s->loop = loop;
        s->on_lost = on_lost;
        ev_io_init(&s->watch, on_readable, s->sock, EV_READ);
        s->watch.data = s;
        ev_io_start(loop->ev, &s->watch);
}

void starter_link_fini(struct starter_link *s)
{
        if (!s->pid)
                return;
        if (s->loop)
                ev_io_stop(s->loop->ev, &s->watch);
        /* It has nothing to finish. */
        pidfd_signal(s->pidfd, s->pid, SIGKILL);
        close(TAKE_FD(s->sock));
        if (s->pidfd >= 0)
                close(TAKE_FD(s->pidfd));
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        s->pid = 0;
}
