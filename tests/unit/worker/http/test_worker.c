/* The worker from its supervisor's side: a process of the test's own at the other end of a channel, and a
 * server that gives everybody the same. */
#include "worker/http/worker.h"

#include "wire/channel.h"
#include "wire/exits.h"
#include "wire/pack.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { BODY = 900 * 1024, RUNS = 60 };

static struct worker_process {
        pid_t pid;
        struct channel channel;
} worker;

static int port;
static pid_t server;

/* ---- the server ---- */

/* "/large" is a megabyte of text, "/hang" nothing, anything else a few bytes. */
static void *answer(void *data)
{
        int fd = (int)(intptr_t)data;
        static char body[BODY];
        char request[4096], head[128];
        ssize_t n;

        memset(body, 'x', sizeof(body));
        while ((n = read(fd, request, sizeof(request) - 1)) > 0) {
                size_t len;

                request[n] = 0;
                len = strncmp(request, "GET /large", 10) ? 2 : BODY;
                if (!strncmp(request, "GET /hang", 9))
                        continue;
                if (!strncmp(request, "GET /gone", 9))
                        break;
                if (!strncmp(request, "GET /round", 10) || !strncmp(request, "GET /away", 9)) {
                        snprintf(head, sizeof(head),
                                "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                                request[5] == 'r' ? "/round" : "http://127.0.0.1:1/");
                        if (send(fd, head, strlen(head), MSG_NOSIGNAL) < 0)
                                break;
                        continue;
                }
                snprintf(head, sizeof(head),
                        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n", len);
                if (send(fd, head, strlen(head), MSG_NOSIGNAL) < 0)
                        break;
                if (!strncmp(request, "GET /short", 10))
                        break;
                for (size_t done = 0; done < len;) {
                        ssize_t sent = send(fd, body + done, len - done, MSG_NOSIGNAL);

                        if (sent <= 0)
                                break;
                        done += (size_t)sent;
                }
        }
        close(fd);
        return NULL;
}

static noreturn void serve(int listener)
{
        for (;;) {
                int fd = accept(listener, NULL, NULL);
                pthread_t thread;

                if (fd < 0 || pthread_create(&thread, NULL, answer, (void *)(intptr_t)fd))
                        _exit(1);
                pthread_detach(thread);
        }
}

/* A process of its own: a worker that is forked beside threads may inherit a lock that nobody opens any more.
 */
static int open_server(void **state)
{
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(at);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)state;
        if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 128) ||
                getsockname(fd, (struct sockaddr *)&at, &len))
                return -1;
        port = ntohs(at.sin_port);
        server = fork();
        if (!server) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                serve(fd);
        }
        close(fd);
        return server < 0;
}

static int close_server(void **state)
{
        (void)state;
        return kill(server, SIGKILL) || waitpid(server, NULL, 0) != server;
}

/* ---- the supervisor ---- */

static struct bytes next_frame(void)
{
        struct bytes frame = {0};

        while (channel_next(&worker.channel, &frame) == CHANNEL_AGAIN)
                assert_int_equal(channel_fill(&worker.channel), 0);
        return frame;
}

static void send_note(const struct wire_message *m, uint64_t seq, const void *body)
{
        assert_int_equal(channel_send(&worker.channel, m, seq, body), 0);
        assert_int_equal(channel_flush(&worker.channel), 0);
}

/* allowHosts has the server; nothing else is said but how many transfers there may be. */
static void configure(uint64_t max_transfers)
{
        struct wire_worker_configure note = {0};
        struct buf map = {0};
        char host[32];
        struct pack p;

        snprintf(host, sizeof(host), "127.0.0.1:%d", port);
        pack_init(&p, &map);
        pack_map(&p, 2);
        pack_text(&p, "allowHosts");
        pack_array(&p, 1);
        pack_text(&p, host);
        pack_entry_uint(&p, "maxTransfers", max_transfers);
        WIRE_SET(&note, worker_configure, settings, buf_bytes(&map));
        send_note(WIRE_MESSAGE(worker_configure), 0, &note);
        buf_fini(&map);
}

static void run(uint64_t seq, const char *path)
{
        struct wire_worker_run body = {0};
        struct buf map = {0};
        char url[64];
        struct pack p;

        snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", port, path);
        pack_init(&p, &map);
        pack_map(&p, 2);
        pack_entry_text(&p, "type", "http-request");
        pack_entry_text(&p, "url", url);
        WIRE_SET(&body, worker_run, task, buf_bytes(&map));
        WIRE_SET(&body, worker_run, timeout, 60000);
        send_note(WIRE_MESSAGE(worker_run), seq, &body);
        buf_fini(&map);
}

static void cancel(uint64_t seq)
{
        struct wire_worker_cancel note = {0};

        WIRE_SET(&note, worker_cancel, run, seq);
        send_note(WIRE_MESSAGE(worker_cancel), 0, &note);
}

/* The next reply's seq, and the code of its error, "" for a value. Beats are passed over. */
static uint64_t reply(char code[static 32])
{
        struct wire_worker_run_reply body;
        struct wire_refusal why;
        struct wire_head head;
        struct bytes frame;

        do {
                frame = next_frame();
                assert_int_equal(wire_open(frame, &head, &why), 0);
        } while (!head.is_reply);
        assert_int_equal(wire_decode(WIRE_MESSAGE(worker_run_reply), frame, &body, &why), 0);
        snprintf(code, 32, "%.*s", (int)body.error.code.len, (const char *)body.error.code.data);
        return head.seq;
}

static int start(void **state)
{
        const struct wire_spawn_setup setup = {.max_memory_bytes = 16 << 20,
                .heartbeat_ms = 60000,
                .max_result_bytes = 1 << 20,
                .max_log_bytes = 65536};
        static const uint8_t layers[] = {0x80};
        int pair[2];

        (void)state;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        worker.pid = fork();
        assert_true(worker.pid >= 0);
        if (!worker.pid) {
                close(pair[0]);
                if (worker_http_load(&setup) < 0 || fcntl(pair[1], F_SETFL, O_NONBLOCK) < 0)
                        _exit(99);
                worker_http_run(pair[1], (struct bytes){layers, sizeof(layers)});
        }
        close(pair[1]);
        channel_init(&worker.channel, pair[0], CHANNEL_FRAME_MAX, CHANNEL_FRAME_MAX);
        next_frame(); /* ready */
        configure(RUNS);
        return 0;
}

/* Its exit status, once it has ended by itself. */
static int status_of_end(void)
{
        int status = -1;

        assert_int_equal(waitpid(worker.pid, &status, 0), worker.pid);
        worker.pid = 0;
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static int stop(void **state)
{
        (void)state;
        channel_fini(&worker.channel);
        return worker.pid ? status_of_end() : 0;
}

/* ---- cases ---- */

static void replies_come_as_they_are_ready(void **state)
{
        char code[32];

        (void)state;
        run(1, "/hang");
        run(2, "/");
        assert_int_equal(reply(code), 2);
        assert_string_equal(code, "");
        cancel(1);
        assert_int_equal(reply(code), 1);
        assert_string_equal(code, "CANCELLED");
}

static void a_cancel_of_a_run_that_has_ended_is_no_fault(void **state)
{
        char code[32];

        (void)state;
        run(1, "/");
        assert_int_equal(reply(code), 1);
        cancel(1);
        cancel(77);
        run(2, "/");
        assert_int_equal(reply(code), 2);
}

/* Fifty megabytes of replies, and nobody reads: they wait in the worker until somebody does. */
static void a_supervisor_that_does_not_read_loses_nothing(void **state)
{
        bool came[RUNS + 1] = {0};
        struct pollfd quiet = {.fd = worker.channel.fd, .events = POLLIN};
        char code[32];

        (void)state;
        for (uint64_t i = 1; i <= RUNS; i++)
                run(i, "/large");
        assert_int_equal(poll(&quiet, 1, 60000), 1);
        usleep(300 * 1000);
        for (int i = 0; i < RUNS; i++) {
                uint64_t seq = reply(code);

                assert_string_equal(code, "");
                assert_in_range(seq, 1, RUNS);
                assert_false(came[seq]);
                came[seq] = true;
        }
}

static void more_runs_than_were_agreed_on_end_the_worker(void **state)
{
        (void)state;
        configure(2);
        for (uint64_t i = 1; i <= 3; i++)
                run(i, "/hang");
        assert_int_equal(status_of_end(), WORKER_EXIT_PROTOCOL);
}

static void settings_that_make_no_sense_end_the_worker(void **state)
{
        struct wire_worker_configure note = {0};

        (void)state;
        WIRE_SET(&note, worker_configure, settings,
                (struct bytes){(const uint8_t *)"\x81\xac"
                                                "maxRedirects\xa1x",
                        16});
        send_note(WIRE_MESSAGE(worker_configure), 0, &note);
        assert_int_equal(status_of_end(), WORKER_EXIT_PROTOCOL);
}

static void runs_under_way_go_on_by_the_settings_they_began_with(void **state)
{
        char code[32];

        (void)state;
        run(1, "/hang");
        for (int i = 0; i < 20; i++)
                configure(RUNS);
        run(2, "/");
        assert_int_equal(reply(code), 2);
        assert_string_equal(code, "");
        cancel(1);
        assert_int_equal(reply(code), 1);
}

static void a_task_of_another_type_is_refused(void **state)
{
        struct wire_worker_run body = {0};
        char code[32];

        (void)state;
        WIRE_SET(&body, worker_run, task, (struct bytes){(const uint8_t *)"\x81\xa4type\xa5other", 12});
        WIRE_SET(&body, worker_run, timeout, 0);
        send_note(WIRE_MESSAGE(worker_run), 5, &body);
        assert_int_equal(reply(code), 5);
        assert_string_equal(code, "UNKNOWN_TYPE");
}

static long resident_pages(void)
{
        char path[64];
        long size = 0, resident = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/statm", (int)worker.pid);
        f = fopen(path, "r");
        assert_non_null(f);
        assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
        fclose(f);
        return resident;
}

static int open_files(void)
{
        char path[64];
        struct dirent *entry;
        DIR *dir;
        int n = 0;

        snprintf(path, sizeof(path), "/proc/%d/fd", (int)worker.pid);
        dir = opendir(path);
        assert_non_null(dir);
        while ((entry = readdir(dir)))
                n++;
        closedir(dir);
        return n;
}

/* Of each kind some are cancelled at once, and some when the others are done. */
static void make_requests(uint64_t *seq, int n)
{
        static const char *const paths[] = {
                "/", "/hang", "/large", "/round", "/away", "/short", "/gone", "/"};
        enum { LOT = 48 };
        char code[32];

        for (int done = 0; done < n; done += LOT) {
                uint64_t first = *seq + 1;

                for (int i = 0; i < LOT; i++) {
                        run(++*seq, paths[i % 8]);
                        if (i % 5 == 0)
                                cancel(*seq);
                }
                for (int i = 0; i < LOT; i++)
                        if (i % 8 == 1)
                                cancel(first + (uint64_t)i);
                for (int i = 0; i < LOT; i++)
                        reply(code);
        }
}

/* Pages that may come on top: a sanitizer keeps what was freed for a while, up to 256 MiB. */
#ifdef __SANITIZE_ADDRESS__
enum { MORE_PAGES = 65536 + 1024 };
#else
enum { MORE_PAGES = 1024 };
#endif

static void ten_thousand_requests_that_end_in_all_ways_leave_nothing(void **state)
{
        uint64_t seq = 0;
        long before;
        int files;

        (void)state;
        make_requests(&seq, 2000);
        before = resident_pages();
        files = open_files();
        make_requests(&seq, 10000);
        print_message("# %ld pages before, %ld after; %d files before, %d after\n", before, resident_pages(),
                files, open_files());
        assert_in_range(resident_pages(), 0, before + MORE_PAGES);
        assert_in_range(open_files(), 0, files + 80);
}

#define WITH_WORKER(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
        static const struct CMUnitTest tests[] = {
                WITH_WORKER(replies_come_as_they_are_ready),
                WITH_WORKER(a_cancel_of_a_run_that_has_ended_is_no_fault),
                WITH_WORKER(a_supervisor_that_does_not_read_loses_nothing),
                WITH_WORKER(more_runs_than_were_agreed_on_end_the_worker),
                WITH_WORKER(settings_that_make_no_sense_end_the_worker),
                WITH_WORKER(runs_under_way_go_on_by_the_settings_they_began_with),
                WITH_WORKER(ten_thousand_requests_that_end_in_all_ways_leave_nothing),
                WITH_WORKER(a_task_of_another_type_is_refused),
        };

        return cmocka_run_group_tests_name("worker", tests, open_server, close_server);
}
