/*
 * Baseline: what two hops cost on this machine without any product around them. A client sends 120 bytes to a relay
 * (epoll), which hands them to a worker, and the same way back; plain blocking sockets, nothing is parsed.
 *   bench_echo COUNT WINDOW
 */
#include "base/clock.h"
#include "measure.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MESSAGE = 120, CHUNK = 64 * 1024, WINDOW_MAX = 512 };

static void write_all(int fd, const char *data, size_t n)
{
        while (n) {
                ssize_t done = write(fd, data, n);

                if (done <= 0)
                        _exit(0);
                data += done;
                n -= (size_t)done;
        }
}

static _Noreturn void run_worker(int fd)
{
        char data[CHUNK];
        ssize_t n;

        while ((n = read(fd, data, sizeof(data))) > 0)
                write_all(fd, data, (size_t)n);
        _exit(0);
}

static void watch(int epoll, int fd, int other)
{
        struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)fd << 32 | (uint32_t)other};

        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
                _exit(1);
}

static _Noreturn void run_relay(int client, int worker)
{
        int epoll = epoll_create1(0);
        struct epoll_event events[2];
        char data[CHUNK];

        watch(epoll, client, worker);
        watch(epoll, worker, client);
        for (;;) {
                int n = epoll_wait(epoll, events, 2, -1);

                for (int i = 0; i < n; i++) {
                        ssize_t got = read((int)(events[i].data.u64 >> 32), data, sizeof(data));

                        if (got <= 0)
                                _exit(0);
                        write_all((int)(uint32_t)events[i].data.u64, data, (size_t)got);
                }
        }
}

/* The client's end of client - relay - worker, each in a process of its own. */
static int start_chain(void)
{
        int front[2], back[2];

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, front) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, back) < 0)
                measure_die("socketpair");
        if (!fork()) {
                close(front[0]);
                close(front[1]);
                close(back[0]);
                run_worker(back[1]);
        }
        if (!fork()) {
                close(front[0]);
                close(back[1]);
                run_relay(front[1], back[0]);
        }
        close(front[1]);
        close(back[0]);
        close(back[1]);
        return front[0];
}

/* Keeps `window` messages under way; a message's time runs from its sending to its whole arrival. */
static void run_client(int fd, size_t count, size_t window)
{
        static char data[CHUNK];
        int64_t sent_at[WINDOW_MAX];
        size_t sent = 0, got = 0, partial = 0;
        struct measure m;

        memset(data, 'x', sizeof(data));
        measure_start(&m, count);
        while (got < count) {
                size_t burst = sent;
                ssize_t n;

                while (sent < count && sent - got < window)
                        sent_at[sent++ % WINDOW_MAX] = clock_now();
                write_all(fd, data, (sent - burst) * MESSAGE);
                n = read(fd, data, sizeof(data));
                if (n <= 0)
                        measure_die("read");
                for (partial += (size_t)n; partial >= MESSAGE; partial -= MESSAGE)
                        measure_add(&m, clock_now() - sent_at[got++ % WINDOW_MAX]);
        }
        measure_report(&m);
}

int main(int argc, char **argv)
{
        size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0, window = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
        int fd;

        if (!count || !window || window > WINDOW_MAX)
                return 64;
        fd = start_chain();
        run_client(fd, count, window);
        close(fd);
        while (wait(NULL) > 0)
                ;
        return 0;
}
