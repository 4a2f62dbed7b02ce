/*
 * A hostile byte stream through a channel, in pieces of hostile sizes. The frames that come out must be exactly those
 * that a plain reading of the whole stream finds. The input's first half says how to cut, all of it is the stream.
 */
#include "fuzz.h"
#include "wire/channel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_MAX = 1000 };

static void require(bool held)
{
        if (!held)
                abort();
}

/* The plain reading: where the next frame lies. False at the end, or at a frame that is too large. */
static bool plain_next(const uint8_t *data, size_t size, size_t *at, struct bytes *frame)
{
        size_t len;

        if (size - *at < 4)
                return false;
        len = (size_t)data[*at] << 24 | (size_t)data[*at + 1] << 16 | (size_t)data[*at + 2] << 8 | data[*at + 3];
        if (len > FRAME_MAX || size - *at - 4 < len)
                return false;
        *frame = (struct bytes){data + *at + 4, len};
        *at += 4 + len;
        return true;
}

/* Takes every frame that is there and compares it; false when the channel refuses the stream. */
static bool drain(struct channel *ch, const uint8_t *data, size_t size, size_t *at)
{
        struct bytes got, wanted = {0};
        int r;

        while ((r = channel_next(ch, &got)) == 0) {
                require(plain_next(data, size, at, &wanted));
                require(got.len == wanted.len && (!got.len || !memcmp(got.data, wanted.data, got.len)));
        }
        require(r == CHANNEL_AGAIN || r == CHANNEL_TOO_LARGE);
        return r == CHANNEL_AGAIN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        size_t sent = 0, at = 0, half = size / 2;
        struct bytes frame;
        struct channel ch;
        bool open = true;
        int pair[2];

        if (size > 64 * 1024)
                return 0;
        require(fd_pair(pair) == 0);
        channel_init(&ch, pair[0], FRAME_MAX, 0);
        for (size_t i = 0; open && sent < size; i++) {
                size_t n = half ? data[i % half] % 64 + 1u : size;

                n = n > size - sent ? size - sent : n;
                require(send(pair[1], data + sent, n, 0) == (ssize_t)n);
                sent += n;
                require(channel_fill(&ch) == 0);
                open = drain(&ch, data, size, &at);
        }
        if (open)
                require(!plain_next(data, size, &at, &frame));
        channel_fini(&ch);
        close(pair[1]);
        return 0;
}
