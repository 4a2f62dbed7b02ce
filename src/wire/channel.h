/*
 * A channel: frames over one stream socket, both ways, with bounded buffers. It knows nothing of event loops: the owner
 * calls channel_fill() when the socket is readable, takes frames with channel_next() until there is none, and calls
 * channel_flush() after sending and when the socket is writable again.
 *
 * A frame is 4 bytes of big-endian length and that many bytes. Its length is checked before any room is made for it.
 */
#pragma once

#include "base/buf.h"
#include "base/fd.h"
#include "wire/codec.h"

struct channel {
        int fd;
        struct buf in, out;
        size_t max_frame; /* bytes without the length prefix */
        size_t consumed;  /* of `in`: frames handed out by channel_next and not yet let go */
        int passed[FD_PASS_MAX]; /* descriptors that came along, oldest first; -1 = none */
        int n_passed;
        bool takes_fds;
};

enum channel_condition {
        CHANNEL_AGAIN = 1, /* nothing more to read, or the socket takes no more */
        CHANNEL_CLOSED,    /* the peer is gone */
        CHANNEL_TOO_LARGE, /* the announced frame is over max_frame; the stream cannot go on */
};

enum { CHANNEL_FRAME_MAX = 16 * 1024 * 1024 };

/* Takes the descriptor over. out_limit: most bytes that may wait for a slow reader; a send over it gives -ENOBUFS. */
void channel_init(struct channel *ch, int fd, size_t max_frame, size_t out_limit);
void channel_fini(struct channel *ch);

/* Reads what is there, up to one buffer's worth. 0 = something came; else a condition, or negative. Frames handed out
 * before are let go: their bytes are no longer valid. */
int channel_fill(struct channel *ch);

/* The next whole frame. 0 and *frame, valid until the next channel_fill; CHANNEL_AGAIN; CHANNEL_TOO_LARGE. */
int channel_next(struct channel *ch, struct bytes *frame);

/* The same on a blocking socket, waiting for it. 0 and *frame; CHANNEL_CLOSED; CHANNEL_TOO_LARGE; negative. */
int channel_wait(struct channel *ch, struct bytes *frame);

/* The frame that channel_next gave last comes again. Before the next channel_fill. */
void channel_put_back(struct channel *ch, struct bytes frame);

/* Encodes into the out buffer; nothing is written before channel_flush. */
int channel_send(struct channel *ch, const struct wire_message *m, uint64_t seq, const void *body);

/* Sends a message with 1 to FD_PASS_MAX descriptors, at once: for the spawner's replies. As channel_flush, but negative
 * (-EAGAIN: the socket is full, -EPIPE: the peer is gone) when the message was not sent: it goes with all or not at all. */
int channel_send_fds(struct channel *ch, const struct wire_message *m, uint64_t seq, const void *body, const int *fds,
        int n_fds);

/* 0 = all written; CHANNEL_AGAIN = wait until writable; CHANNEL_CLOSED. */
int channel_flush(struct channel *ch);

/* The oldest descriptor that came along, now the caller's; -1 if there is none. */
int channel_take_fd(struct channel *ch);

static inline bool channel_wants_write(const struct channel *ch)
{
        return buf_size(&ch->out) > 0;
}
