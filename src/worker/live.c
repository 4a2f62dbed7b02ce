/* Where in the kept lines the followers are, and the way from there to the end. */
#include "worker/live.h"

#include "wire/cursor.h"
#include "worker/port.h"

#include <signal.h>
#include <string.h>

static struct {
        void (*send)(const struct wire_worker_output *);
        const struct outcome *out;
        struct buf line;
        volatile uint32_t run;
        size_t sent;                  /* of out->logs, in bytes */
        uint64_t at;                  /* of the stream */
        volatile uint32_t early;      /* a run that was asked for before it began; 0: none */
        volatile sig_atomic_t asked;  /* begin anew */
        volatile sig_atomic_t followed;
} live;

int live_init(size_t max_bytes, void (*send)(const struct wire_worker_output *))
{
        live.send = send;
        buf_init(&live.line, max_bytes + 1);
        return buf_reserve(&live.line, max_bytes + 1);
}

/* A wish that comes in between counts twice, which does no harm. */
void live_begin(uint32_t run, const struct outcome *out, bool followed)
{
        live.out = out;
        live.sent = 0;
        live.at = 0;
        live.asked = 0;
        live.run = run;
        live.followed = followed || live.early == run;
}

void live_ask(uint32_t run)
{
        live.early = run;
        if (run != live.run)
                return;
        live.asked = 1;
        live.followed = 1;
}

bool live_pending(void)
{
        return live.followed && (live.asked || live.sent < buf_size(&live.out->logs));
}

static void send_line(struct bytes text)
{
        struct wire_worker_output body = {0};

        buf_append(&live.line, text.data, text.len);
        buf_append(&live.line, "\n", 1);
        WIRE_SET(&body, worker_output, run, live.run);
        WIRE_SET(&body, worker_output, stream, STREAM_CONSOLE);
        WIRE_SET(&body, worker_output, at, live.at);
        WIRE_SET(&body, worker_output, data, buf_bytes(&live.line));
        live.send(&body);
        live.at += live.line.len;
        memset(live.line.data, 0, live.line.len);
        live.line.len = 0;
}

/* The entries are our own. */
void live_send(void)
{
        struct bytes logs, entry, text;
        struct cursor c;

        if (!live.followed)
                return;
        if (live.asked) {
                live.asked = 0;
                live.sent = 0;
                live.at = 0;
        }
        logs = buf_bytes(&live.out->logs);
        c = cursor_over((struct bytes){logs.data + live.sent, logs.len - live.sent});
        while (!cursor_done(&c) && !cursor_skip(&c, &entry) && wire_lookup_str(entry, "text", &text))
                send_line(text);
        live.sent = logs.len;
}
