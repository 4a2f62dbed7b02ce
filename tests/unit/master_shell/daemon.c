/* Starting, asking, stopping. */
#include "daemon.h"

#include "master/master.h"
#include "wire/cursor.h"
#include "wire/pack.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { PATIENCE_S = 60 };

const char *daemon_loader;

static void write_config(const char *path, const char *dir, const char *worker, const char *types)
{
        FILE *f = fopen(path, "we");

        assert_non_null(f);
        fprintf(f, "{\"daemon\": {\"worker\": {%s \"respawnBackoff\": 1, \"respawnBackoffMax\": 20, \"killGrace\": 100}},"
                   " \"taskTypes\": {%s}, \"logging\": {\"file\": \"%s/log\", \"level\": \"debug\"}}", worker, types, dir);
        fclose(f);
}

_Noreturn static void be_master(const struct daemon *d, const char *spawner, const char *config)
{
        struct master_options options = {.config_path = config, .socket_path = d->socket, .spawner_program = spawner,
                .loader_program = daemon_loader};

        alarm(PATIENCE_S);
        exit(master_main(&options));
}

static void connect_to(struct daemon *d)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        strcpy(addr.sun_path, d->socket);
        while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
                usleep(1000);
        channel_init(&d->client, fd, 64 * 1024 * 1024, 0);
}

void daemon_start(struct daemon *d, const char *spawner, const char *worker)
{
        struct wire_hello hello = {0};
        char config[96];

        *d = (struct daemon){.dir = "/tmp/poppo-shell-XXXXXX"};
        alarm(PATIENCE_S);
        assert_non_null(mkdtemp(d->dir));
        snprintf(d->socket, sizeof(d->socket), "%s/socket", d->dir);
        snprintf(config, sizeof(config), "%s/config", d->dir);
        write_config(config, d->dir, worker, daemon_loader ? "\"execute-module\": {\"roots\": [\"/\"]}" : "");
        fflush(NULL);
        d->pid = fork();
        assert_true(d->pid >= 0);
        if (!d->pid)
                be_master(d, spawner, config);
        connect_to(d);
        WIRE_SET(&hello, hello, version, 1);
        WIRE_SET(&hello, hello, client, wire_str("test"));
        assert_int_equal((int)number_at(daemon_call(d, WIRE_MESSAGE(hello), &hello), "pid"), d->pid);
}

void daemon_reload(struct daemon *d, const char *worker, const char *types)
{
        struct wire_reload body = {0};
        char config[96];

        snprintf(config, sizeof(config), "%s/config", d->dir);
        write_config(config, d->dir, worker, types);
        assert_string_not_equal(text_at(daemon_call(d, WIRE_MESSAGE(reload), &body), "message"), "");
}

static void remove_in(const struct daemon *d, const char *name)
{
        char path[128];

        snprintf(path, sizeof(path), "%s/%s", d->dir, name);
        unlink(path);
}

void daemon_stop(struct daemon *d)
{
        int status;

        kill(d->pid, SIGTERM);
        assert_int_equal(waitpid(d->pid, &status, 0), d->pid);
        channel_fini(&d->client);
        remove_in(d, "log");
        remove_in(d, "config");
        remove_in(d, "socket.lock");
        assert_int_equal(rmdir(d->dir), 0);
        assert_int_equal(status, 0);
        alarm(0);
}

uint64_t daemon_send(struct daemon *d, const struct wire_message *m, const void *body)
{
        assert_int_equal(channel_send(&d->client, m, ++d->seq, body), 0);
        assert_int_equal(channel_flush(&d->client), 0);
        return d->seq;
}

/* Replies to other calls are dropped: tests ask for them in the order in which they come. */
struct bytes daemon_reply(struct daemon *d, uint64_t seq)
{
        struct wire_refusal why;
        struct wire_head head;
        struct bytes frame;

        for (;;) {
                while (channel_next(&d->client, &frame))
                        assert_int_equal(channel_fill(&d->client), 0);
                if (wire_open(frame, &head, &why))
                        fail_msg("an unreadable reply: %s", why.message);
                if (head.has_seq && head.seq == seq)
                        return frame;
        }
}

struct bytes daemon_call(struct daemon *d, const struct wire_message *m, const void *body)
{
        return daemon_reply(d, daemon_send(d, m, body));
}

static uint64_t submit(
        struct daemon *d, const char *type, const char *key, const char *trick, uint64_t timeout, size_t data)
{
        struct wire_submit body = {0};
        struct pack p;
        struct buf task;
        uint64_t seq;

        buf_init(&task, 0);
        pack_init(&p, &task);
        pack_map(&p, data ? 3 : 2);
        pack_entry_text(&p, "type", type);
        pack_entry_text(&p, key, trick);
        if (data) {
                uint8_t *bytes = calloc(1, data);

                pack_text(&p, "data");
                pack_bin(&p, (struct bytes){bytes, data});
                free(bytes);
        }
        WIRE_SET(&body, submit, task, buf_bytes(&task));
        WIRE_SET(&body, submit, wait, true);
        WIRE_SET(&body.options, task_options, max_attempts, 1);
        WIRE_SET(&body.options, task_options, timeout, timeout);
        body.has |= 1u << WIRE_AT_submit_options;
        seq = daemon_send(d, WIRE_MESSAGE(submit), &body);
        buf_fini(&task);
        return seq;
}

uint64_t daemon_submit(struct daemon *d, const char *code, uint64_t timeout)
{
        return submit(d, "execute-code", "code", code, timeout, 0);
}

uint64_t daemon_submit_http(struct daemon *d, const char *url, uint64_t timeout)
{
        return submit(d, "http-request", "url", url, timeout, 0);
}

uint64_t daemon_submit_command(struct daemon *d, const char *line)
{
        return submit(d, "shell-command", "command", line, 0, 0);
}

uint64_t daemon_submit_data(struct daemon *d, const char *url, size_t bytes)
{
        return submit(d, "http-request", "url", url, 0, bytes);
}

struct bytes daemon_record(struct daemon *d, uint64_t seq)
{
        struct bytes frame = daemon_reply(d, seq), record;

        if (!wire_lookup(frame, "result", &record))
                fail_msg("no result: %s", text_at(frame, "error.message"));
        return record;
}

struct bytes daemon_run(struct daemon *d, const char *code, uint64_t timeout)
{
        return daemon_record(d, daemon_submit(d, code, timeout));
}

struct bytes daemon_status(struct daemon *d)
{
        struct wire_status body = {0};

        return daemon_call(d, WIRE_MESSAGE(status), &body);
}

/* The value of a key of a map, or at an index of an array. */
static bool step(struct bytes *at, const char *key)
{
        struct cursor c = cursor_over(*at);
        struct wire_value v;

        if (cursor_read(&c, &v) || v.tag != TAG_ARRAY)
                return wire_lookup(*at, key, at);
        for (long i = strtol(key, NULL, 10); i >= 0; i--)
                if (cursor_skip(&c, at))
                        return false;
        return true;
}

static bool value_at(struct bytes map, const char *path, struct wire_value *out)
{
        char copy[64], *rest = copy, *key;
        struct cursor c;

        strncpy(copy, path, sizeof(copy) - 1);
        copy[sizeof(copy) - 1] = 0;
        while ((key = strsep(&rest, ".")))
                if (!step(&map, key))
                        return false;
        c = cursor_over(map);
        return !cursor_read(&c, out);
}

const char *text_at(struct bytes map, const char *path)
{
        static char text[256];
        struct wire_value v;

        if (!value_at(map, path, &v) || v.tag != TAG_STR)
                return "";
        snprintf(text, sizeof(text), "%.*s", (int)v.bytes.len, (const char *)v.bytes.data);
        return text;
}

bool is_at(struct bytes map, const char *path)
{
        struct wire_value v;

        return value_at(map, path, &v);
}

double number_at(struct bytes map, const char *path)
{
        struct wire_value v;

        if (!value_at(map, path, &v))
                return -1;
        return v.tag == TAG_UINT ? (double)v.uint : v.tag == TAG_FLOAT ? v.real : -1;
}
