/*
 * Put, take and finish with other queues, over a pipelined connection.
 *   bench_jobs redis|beanstalkd PORT COUNT WINDOW
 * Each job is put, taken and finished, each step sent when the one before is answered; WINDOW jobs at a time. Redis: RPUSH,
 * LMOVE to a list of what is being worked on, LREM from there. beanstalkd: put, reserve, delete.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "measure.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WINDOW_MAX = 1024, BODY = 60 };
enum step { PUT, TAKE, FINISH, STEPS };

static struct bench {
        int fd;
        bool redis;
        struct buf in, out;
        enum step asked[WINDOW_MAX]; /* steps under way, answered in their order */
        int64_t started[WINDOW_MAX]; /* jobs: the oldest is finished first */
        uint64_t sent, answered, begun, finished;
        size_t count;
        struct measure measure;
        char body[BODY + 1];
} b;

static void dial(int port)
{
        struct sockaddr_in address = {
                .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int on = 1;

        b.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (b.fd < 0 || connect(b.fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                measure_die("connect");
        setsockopt(b.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        memset(b.body, 'x', BODY);
}

static void say(enum step step, uint64_t id)
{
        char text[256];
        int n = 0;

        if (b.redis && step == PUT)
                n = snprintf(text, sizeof(text), "*3\r\n$5\r\nRPUSH\r\n$1\r\nq\r\n$%d\r\n%s\r\n", BODY, b.body);
        else if (b.redis && step == TAKE)
                n = snprintf(text, sizeof(text), "*5\r\n$5\r\nLMOVE\r\n$1\r\nq\r\n$1\r\nw\r\n$4\r\nLEFT\r\n$5\r\nRIGHT\r\n");
        else if (b.redis)
                n = snprintf(text, sizeof(text), "*4\r\n$4\r\nLREM\r\n$1\r\nw\r\n$1\r\n1\r\n$%d\r\n%s\r\n", BODY, b.body);
        else if (step == PUT)
                n = snprintf(text, sizeof(text), "put 0 0 600 %d\r\n%s\r\n", BODY, b.body);
        else if (step == TAKE)
                n = snprintf(text, sizeof(text), "reserve\r\n");
        else
                n = snprintf(text, sizeof(text), "delete %llu\r\n", (unsigned long long)id);
        if (buf_append(&b.out, text, (size_t)n) < 0)
                measure_die("no memory");
        b.asked[b.sent++ % WINDOW_MAX] = step;
}

static void step_answered(uint64_t id)
{
        enum step step = b.asked[b.answered++ % WINDOW_MAX];

        if (step != FINISH)
                return say(step + 1, id);
        measure_add(&b.measure, clock_now() - b.started[b.finished++ % WINDOW_MAX]);
}

/* Length of the answer that the bytes begin with; 0: it is not whole. *id: a job's number in it. */
static size_t answer_length(const char *text, size_t len, uint64_t *id)
{
        const char *end = memmem(text, len, "\r\n", 2);
        size_t body = 0, head;

        if (!end)
                return 0;
        head = (size_t)(end - text) + 2;
        if (b.redis && *text == '$')
                body = strtoul(text + 1, NULL, 10) + 2;
        else if (!strncmp(text, "RESERVED ", 9))
                body = strtoul(strchr(text + 9, ' ') + 1, NULL, 10) + 2;
        else if (b.redis ? *text != ':' : strncmp(text, "INSERTED ", 9) && strncmp(text, "DELETED", 7))
                measure_die("another answer");
        if (!b.redis && *text != 'D')
                *id = strtoull(text + 9, NULL, 10);
        return head + body <= len ? head + body : 0;
}

static void take_answers(void)
{
        uint64_t id = 0;
        size_t n;
        ssize_t got;

        if (buf_reserve(&b.in, 65536) < 0)
                measure_die("no memory");
        got = recv(b.fd, b.in.data + b.in.len, 65535, 0);
        if (got <= 0)
                measure_die("the connection ended");
        b.in.len += (size_t)got;
        b.in.data[b.in.len] = 0;
        while ((n = answer_length((char *)buf_head(&b.in), buf_size(&b.in), &id))) {
                step_answered(id);
                buf_consume(&b.in, n);
        }
}

static void send_all(void)
{
        while (buf_size(&b.out)) {
                ssize_t n = send(b.fd, buf_head(&b.out), buf_size(&b.out), MSG_NOSIGNAL);

                if (n < 0)
                        measure_die("send");
                buf_consume(&b.out, (size_t)n);
        }
}

int main(int argc, char **argv)
{
        size_t window;

        if (argc != 5)
                return 64;
        b.redis = !strcmp(argv[1], "redis");
        b.count = strtoul(argv[3], NULL, 10);
        window = strtoul(argv[4], NULL, 10);
        if (!b.count || !window || window > WINDOW_MAX / 2)
                return 64;
        dial(atoi(argv[2]));
        measure_start(&b.measure, b.count);
        while (b.finished < b.count) {
                for (; b.begun - b.finished < window && b.begun < b.count; b.begun++) {
                        b.started[b.begun % WINDOW_MAX] = clock_now();
                        say(PUT, 0);
                }
                send_all();
                take_answers();
        }
        measure_report(&b.measure);
        return 0;
}
