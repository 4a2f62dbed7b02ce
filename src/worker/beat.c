/* What handler and worker share are two flags; each write of a beat is one system call. */
#include "worker/beat.h"

#include "wire/codec.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>

enum { ROOM = 32 };

static struct {
        int fd;
        uint8_t frame[ROOM];
        size_t size; /* 0: not opened */
        volatile sig_atomic_t held, missed;
} beat;

int beat_open(int fd)
{
        struct wire_worker_beat body = {0};
        struct buf frame;
        int r;

        buf_init(&frame, ROOM);
        r = wire_encode(&frame, WIRE_MESSAGE(worker_beat), 0, &body);
        if (!r) {
                beat.fd = fd;
                beat.size = buf_size(&frame);
                memcpy(beat.frame, buf_head(&frame), beat.size);
        }
        buf_fini(&frame);
        return r;
}

/* Whole or not at all, as a frame this small is to a Unix socket. When the master does not read, it is lost.
 */
static void send_now(void)
{
        (void)!send(beat.fd, beat.frame, beat.size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void beat_send(void)
{
        if (beat.held)
                beat.missed = 1;
        else
                send_now();
}

void beat_hold(void)
{
        beat.held = 1;
}

bool beat_is_held(void)
{
        return beat.held;
}

void beat_release(void)
{
        beat.held = 0;
        if (!beat.missed)
                return;
        beat.missed = 0;
        send_now();
}
