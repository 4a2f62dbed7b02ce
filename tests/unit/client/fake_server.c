/* The child: accept, read frames, answer, one connection after the other. It uses wire/ as the real one does. */
#include "fake_server.h"

#include "wire/json.h"
#include "wire/channel.h"
#include "wire/cursor.h"
#include "wire/pack.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { FRAMES_MAX = 4096 };

struct server {
        const struct fake_rule *rules;
        size_t n_rules;
        int reverse, log_fd;
        unsigned long ids;
        struct channel ch;
};

static void must(int ok, const char *what)
{
        if (ok)
                return;
        fprintf(stderr, "fake server: %s: %s\n", what, strerror(errno));
        _exit(70);
}

/* ---- replies ---- */

static void finish_frame(struct buf *out, size_t mark)
{
        size_t len = buf_size(out) - mark - 4;
        uint8_t *at = buf_head(out) + mark;

        for (int i = 0; i < 4; i++)
                at[i] = (uint8_t)(len >> (24 - 8 * i));
}

/* {seq, ok} and the fields of a JSON object. */
static void reply_json(struct server *s, uint64_t seq, const char *json)
{
        struct buf *out = &s->ch.out, fields;
        size_t mark = buf_size(out);
        char why[JSON_WHY_MAX];
        struct wire_value head;
        struct bytes error;
        struct cursor c;
        struct pack p;

        buf_init(&fields, 0);
        must(!json_to_msgpack(wire_str(json), WIRE_DEPTH_MAX, &fields, why), why);
        c = cursor_over(buf_bytes(&fields));
        must(!cursor_read(&c, &head) && head.tag == TAG_MAP, "a rule is no object");
        pack_init(&p, out);
        pack_raw(&p, (struct bytes){(const uint8_t *)"\0\0\0\0", 4});
        pack_map(&p, (size_t)head.count + 2);
        pack_entry_uint(&p, "seq", seq);
        pack_entry_bool(&p, "ok", !wire_lookup(buf_bytes(&fields), "error", &error));
        pack_raw(&p, (struct bytes){c.at, (size_t)(c.end - c.at)});
        finish_frame(out, mark);
        buf_fini(&fields);
}

static void reply_submit(struct server *s, uint64_t seq, struct bytes frame)
{
        struct wire_submit submit;
        struct wire_refusal why;
        struct bytes source = {0};
        struct buf text;
        char json[8192], id[40];

        if (wire_decode(WIRE_MESSAGE(submit), frame, &submit, &why)) {
                snprintf(json, sizeof(json), "{\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}", wire_codes[why.code].name,
                        why.message);
                return reply_json(s, seq, json);
        }
        buf_init(&text, 0);
        if (!wire_lookup(submit.task, "code", &source) && !wire_lookup(submit.task, "fn", &source))
                source = (struct bytes){(const uint8_t *)"\xc0", 1};
        must(!json_from_msgpack(source, &text) && !buf_append(&text, "", 1), "source");
        snprintf(id, sizeof(id), "00000000-0000-7000-8000-%012lu", ++s->ids);
        snprintf(json, sizeof(json), submit.wait ? "{\"id\":\"%s\",\"result\":{\"id\":\"%s\",\"state\":\"succeeded\",\"value\":%s}}"
                                                 : "{\"id\":\"%s\"}",
                id, id, (char *)buf_head(&text));
        buf_fini(&text);
        reply_json(s, seq, json);
}

static void reply_default(struct server *s, const struct wire_head *head, struct bytes frame)
{
        char hello[160];

        snprintf(hello, sizeof(hello), "{\"version\":1,\"server\":\"poppod/0.1.0\",\"pid\":%d,\"maxFrameBytes\":1048576}",
                (int)getpid());
        if (wire_str_is(head->op, "hello"))
                reply_json(s, head->seq, hello);
        else if (wire_str_is(head->op, "ping"))
                reply_json(s, head->seq, "{}");
        else if (wire_str_is(head->op, "submit"))
                reply_submit(s, head->seq, frame);
        else
                reply_json(s, head->seq, "{\"error\":{\"code\":\"BAD_FRAME\",\"message\":\"unknown op\"}}");
}

/* ">ATTEMPT STREAM JSON" and a newline. Gives what is behind it. */
static const char *push_output(struct server *s, const char *line)
{
        const struct wire_message *m = &wire_messages[WIRE_ID_output];
        const char *streams = m->fields[WIRE_AT_output_stream].words;
        struct wire_output event = {0};
        char why[JSON_WHY_MAX], stream[16], json[1024];
        struct buf text;
        struct cursor c;
        struct bytes data;
        unsigned int attempt;

        must(sscanf(line, ">%u %15s %1023[^\n]", &attempt, stream, json) == 3, "an output line");
        buf_init(&text, 0);
        must(!json_to_msgpack(wire_str(json), WIRE_DEPTH_MAX, &text, why), why);
        c = cursor_over(buf_bytes(&text));
        must(!cursor_str(&c, &data), "output is no string");
        WIRE_SET(&event, output, id, wire_str("00000000-0000-7000-8000-000000000001"));
        WIRE_SET(&event, output, attempt, attempt);
        WIRE_SET(&event, output, stream, (uint64_t)wire_word_index(streams, wire_str(stream)));
        WIRE_SET(&event, output, data, data);
        must(!wire_encode(&s->ch.out, m, 0, &event), "event");
        buf_fini(&text);
        return strchr(line, '\n') + 1;
}

/* False: this connection ends. */
static bool answer(struct server *s, const struct wire_head *head, struct bytes frame)
{
        for (size_t i = 0; i < s->n_rules; i++) {
                const char *reply = s->rules[i].reply;

                if (!wire_str_is(head->op, s->rules[i].op))
                        continue;
                if (reply && *reply == '!') {
                        must(!buf_append(&s->ch.out, reply + 1, strlen(reply + 1)), "append");
                        return false;
                }
                while (reply && *reply == '>')
                        reply = push_output(s, reply);
                if (reply && *reply)
                        reply_json(s, head->seq, reply);
                return true;
        }
        reply_default(s, head, frame);
        return true;
}

/* ---- the record of requests ---- */

static void keep_request(struct server *s, const struct wire_head *head, struct bytes frame)
{
        struct cursor c = cursor_over(frame);
        struct wire_value map;
        struct buf body, text;
        struct pack p;
        uint32_t n = 0;
        size_t mark;

        if (wire_str_is(head->op, "hello"))
                return;
        buf_init(&body, 0);
        buf_init(&text, 0);
        pack_init(&p, &body);
        mark = pack_map_open(&p);
        must(!cursor_read(&c, &map), "request");
        for (uint32_t i = 0; i < map.count; i++) {
                struct bytes key, value;

                must(!cursor_skip(&c, &key) && !cursor_skip(&c, &value), "request");
                if (key.len == 4 && !memcmp(key.data, "\xa3seq", 4))
                        continue;
                pack_raw(&p, key);
                pack_raw(&p, value);
                n++;
        }
        pack_map_close(&p, mark, n);
        must(!json_from_msgpack(buf_bytes(&body), &text) && !buf_append(&text, "\n", 1), "request");
        must(write(s->log_fd, buf_head(&text), buf_size(&text)) == (ssize_t)buf_size(&text), "log");
        buf_fini(&body);
        buf_fini(&text);
}

/* ---- serving ---- */

static bool serve_frame(struct server *s, struct bytes frame)
{
        struct wire_refusal why;
        struct wire_head head;

        must(!wire_open(frame, &head, &why) && head.op.len && head.has_seq, "a bad request");
        keep_request(s, &head, frame);
        return answer(s, &head, frame);
}

static bool serve_frames(struct server *s)
{
        static struct bytes frames[FRAMES_MAX];
        size_t n = 0;
        bool open = true;

        while (n < FRAMES_MAX && !channel_next(&s->ch, &frames[n]))
                n++;
        for (size_t i = 0; i < n && open; i++)
                open = serve_frame(s, frames[s->reverse ? n - 1 - i : i]);
        return open;
}

static void serve_connection(struct server *s, int fd)
{
        bool open = true;

        channel_init(&s->ch, fd, CHANNEL_FRAME_MAX, 0);
        while (open && !channel_fill(&s->ch)) {
                open = serve_frames(s);
                if (channel_flush(&s->ch))
                        break;
        }
        channel_fini(&s->ch);
}

static int listen_at(const char *path)
{
        struct sockaddr_un addr = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
        must(fd >= 0 && !bind(fd, (struct sockaddr *)&addr, sizeof(addr)) && !listen(fd, 16), "listen");
        return fd;
}

_Noreturn static void serve(struct server *s, int listener)
{
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
                int fd = accept(listener, NULL, NULL);

                must(fd >= 0, "accept");
                serve_connection(s, fd);
        }
}

void fake_start(struct fake *f, const struct fake_rule *rules, size_t n_rules, int reverse)
{
        struct server server = {.rules = rules, .n_rules = n_rules, .reverse = reverse};
        int listener;

        strcpy(f->directory, "/tmp/poppo-test-XXXXXX");
        must(mkdtemp(f->directory) != NULL, "mkdtemp");
        snprintf(f->path, sizeof(f->path), "%s/poppo.sock", f->directory);
        snprintf(f->log, sizeof(f->log), "%s/requests", f->directory);
        server.log_fd = open(f->log, O_CREAT | O_WRONLY | O_APPEND, 0600);
        must(server.log_fd >= 0, f->log);
        listener = listen_at(f->path);
        f->pid = fork();
        must(f->pid >= 0, "fork");
        if (!f->pid)
                serve(&server, listener);
        close(listener);
        close(server.log_fd);
}

void fake_stop(struct fake *f)
{
        int status;

        kill(f->pid, SIGKILL);
        must(waitpid(f->pid, &status, 0) == f->pid, "waitpid");
        must(WIFSIGNALED(status), "it ended before its time");
        unlink(f->path);
        unlink(f->log);
        rmdir(f->directory);
}

char *fake_requests(const struct fake *f)
{
        FILE *file = fopen(f->log, "r");
        char *text = NULL;
        size_t size = 0;

        must(file != NULL, f->log);
        if (getdelim(&text, &size, '\0', file) < 0) {
                free(text);
                text = strdup("");
        }
        fclose(file);
        return text;
}
