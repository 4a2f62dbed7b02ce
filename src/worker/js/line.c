/* Frames in and out, blocking. "Again" only ever means that a signal came by. */
#include "worker/js/line.h"

#include "wire/exits.h"
#include "worker/beat.h"
#include "worker/js/deadline.h"
#include "worker/live.h"

#include <string.h>
#include <unistd.h>

/* A buffer of this size or more is a mapping of its own to malloc (worker.c). */
enum { FIRST_BYTES = 64 * 1024, FRAME_HEADROOM = 512 * 1024 };

static struct channel line;

int line_open(int fd, size_t out_limit)
{
        int r;

        channel_init(&line, fd, CHANNEL_FRAME_MAX + FRAME_HEADROOM, out_limit);
        r = buf_reserve(&line.in, FIRST_BYTES);
        return r ? r : buf_reserve(&line.out, FIRST_BYTES);
}

void line_fail(void)
{
        _exit(WORKER_EXIT_PROTOCOL);
}

static _Noreturn void end(int condition)
{
        _exit(condition == CHANNEL_CLOSED ? WORKER_EXIT_CLOSED : WORKER_EXIT_CHANNEL);
}

static void flush(void)
{
        size_t written = line.out.len;
        int r;

        beat_hold();
        do {
                r = channel_flush(&line);
        } while (r == CHANNEL_AGAIN);
        beat_release();
        if (r)
                end(r);
        /* A large buffer was given back by the flush, and its memory with it. */
        if (written && written <= line.out.cap)
                memset(line.out.data, 0, written);
}

void line_send(const struct wire_message *m, uint64_t seq, const void *body)
{
        if (channel_send(&line, m, seq, body) < 0)
                _exit(WORKER_EXIT_MEMORY);
        flush();
}

struct bytes line_receive(struct wire_head *head)
{
        struct wire_refusal why;
        struct bytes frame;
        int r;

        while ((r = channel_next(&line, &frame)) == CHANNEL_AGAIN) {
                deadline_leave_if_due();
                live_send();
                r = channel_fill(&line);
                if (r && r != CHANNEL_AGAIN)
                        end(r);
        }
        if (r || wire_open(frame, head, &why))
                line_fail();
        return frame;
}

/* Wiped where it lies, unless the next frame is already behind it; then that one's room covers it. */
void line_forget(void)
{
        size_t n = line.in.head + line.consumed;

        if (n)
                memset(line.in.data, 0, n);
}
