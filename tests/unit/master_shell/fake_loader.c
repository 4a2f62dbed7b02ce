/* A loader without files: the name that is asked for is the trick that it plays, honest or not. */
#include "base/fd.h"
#include "wire/channel.h"

#include <string.h>
#include <unistd.h>

enum { CHANNEL_FD = 3 };

static struct channel ch;

static void flush(void)
{
        if (channel_flush(&ch))
                _exit(1);
}

static void answer(uint64_t seq)
{
        struct wire_load_reply body = {0};

        WIRE_SET(&body, load_reply, kind, 1);
        WIRE_SET(&body, load_reply, root, 0);
        WIRE_SET(&body, load_reply, path, wire_str("a.js"));
        WIRE_SET(&body, load_reply, source, wire_str("1"));
        WIRE_SET(&body, load_reply, proof, wire_str("\x90"));
        channel_send(&ch, WIRE_MESSAGE(load_reply), seq, &body);
        flush();
}

static void play_ok(uint64_t seq)
{
        answer(seq);
}

static void play_late(uint64_t seq)
{
        usleep(50000);
        answer(seq);
}

static void play_twice(uint64_t seq)
{
        answer(seq);
        answer(seq);
}

static void play_other(uint64_t seq)
{
        answer(seq + 200);
}

static void play_wrong_kind(uint64_t seq)
{
        answer(seq ^ 1);
}

static void play_garbage(uint64_t seq)
{
        (void)seq;
        buf_append(&ch.out, "\0\0\0\1\xc1", 5);
        flush();
}

static void play_refusal(uint64_t seq)
{
        struct wire_refusal why;

        wire_refuse(&why, WIRE_BAD_FRAME, "it would not");
        wire_encode_refusal(&ch.out, seq, &why, -1);
        flush();
}

static void play_die(uint64_t seq)
{
        (void)seq;
        _exit(3);
}

static void play_silent(uint64_t seq)
{
        (void)seq;
        for (;;)
                pause();
}

static const struct {
        const char *name;
        void (*play)(uint64_t seq);
} tricks[] = {{"ok", play_ok}, {"late", play_late}, {"twice", play_twice}, {"other", play_other},
        {"wrong-kind", play_wrong_kind}, {"garbage", play_garbage}, {"refusal", play_refusal}, {"die", play_die},
        {"silent", play_silent}};

static struct bytes receive(struct wire_head *head)
{
        struct wire_refusal why;
        struct bytes frame;

        while (channel_next(&ch, &frame))
                if (channel_fill(&ch))
                        _exit(0);
        if (wire_open(frame, head, &why))
                _exit(1);
        return frame;
}

int main(void)
{
        struct wire_loader_opened opened = {0};
        struct wire_refusal why;
        struct wire_head head;

        channel_init(&ch, CHANNEL_FD, CHANNEL_FRAME_MAX, 0);
        fd_set_nonblock(CHANNEL_FD, 0);
        receive(&head);
        WIRE_SET(&opened, loader_opened, layers, wire_str("\x80"));
        channel_send(&ch, WIRE_MESSAGE(loader_opened), 0, &opened);
        flush();
        for (;;) {
                struct wire_load body;
                struct bytes frame = receive(&head);

                if (wire_decode(WIRE_MESSAGE(load), frame, &body, &why))
                        _exit(1);
                for (size_t i = 0; i < sizeof(tricks) / sizeof(tricks[0]); i++)
                        if (wire_str_is(body.name, tricks[i].name))
                                tricks[i].play(head.seq);
        }
}
