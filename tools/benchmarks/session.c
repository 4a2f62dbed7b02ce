/* Blocking requests over a channel. */
#include "session.h"

#include "measure.h"
#include "wire/cursor.h"
#include "wire/pack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { OUT_MAX = 64 * 1024 * 1024 };

void session_refused(struct bytes frame)
{
        fprintf(stderr, "not ok: %.*s\n", (int)frame.len, (const char *)frame.data);
        exit(1);
}

static void greet(struct session *s)
{
        struct wire_hello hello = {0};

        WIRE_SET(&hello, hello, version, 1);
        WIRE_SET(&hello, hello, client, wire_str("bench"));
        if (channel_send(&s->channel, WIRE_MESSAGE(hello), 0, &hello) || channel_flush(&s->channel))
                measure_die("hello");
}

bool session_try(struct session *s, const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
                measure_die(path);
        memcpy(address.sun_path, path, strlen(path));
        if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
                close(fd);
                return false;
        }
        s->seq = 0;
        channel_init(&s->channel, fd, CHANNEL_FRAME_MAX, OUT_MAX);
        greet(s);
        return true;
}

void session_open(struct session *s, const char *path)
{
        if (!session_try(s, path))
                measure_die(path);
}

void session_close(struct session *s)
{
        channel_fini(&s->channel);
}

static struct bytes next_frame(struct session *s)
{
        struct bytes frame;
        int r;

        while (channel_next(&s->channel, &frame)) {
                r = channel_fill(&s->channel);
                if (r && r != CHANNEL_AGAIN)
                        measure_die("the connection ended");
        }
        return frame;
}

void session_put(struct session *s, const struct wire_message *m, const void *body)
{
        if (channel_send(&s->channel, m, ++s->seq, body))
                measure_die("request");
}

void session_flush(struct session *s)
{
        if (channel_flush(&s->channel))
                measure_die("request");
}

void session_send(struct session *s, const struct wire_message *m, const void *body)
{
        session_put(s, m, body);
        session_flush(s);
}

struct bytes session_receive(struct session *s, uint64_t *seq)
{
        struct bytes frame = next_frame(s);
        struct wire_refusal why;
        struct wire_head head;

        if (wire_open(frame, &head, &why) || !head.is_reply || !head.ok)
                session_refused(frame);
        *seq = head.seq;
        return frame;
}

struct bytes session_ask(struct session *s, const struct wire_message *m, const void *body)
{
        struct bytes frame;
        uint64_t seq;

        session_send(s, m, body);
        do
                frame = session_receive(s, &seq);
        while (seq != s->seq);
        return frame;
}

void session_prepare_code(struct wire_submit *submit, struct buf *task, const char *code)
{
        struct pack p;

        buf_init(task, 0);
        pack_init(&p, task);
        pack_map(&p, 2);
        pack_entry_text(&p, "type", "execute-code");
        pack_entry_text(&p, "code", code);
        WIRE_SET(submit, submit, task, buf_bytes(task));
}
