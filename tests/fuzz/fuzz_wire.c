/*
 * Hostile bytes against wire_open and the decoder of every message. What is taken must survive a round trip: decoding
 * what was encoded from it gives the same bytes again.
 */
#include "fuzz.h"
#include "wire/codec.h"
#include "wire/cursor.h"

#include <stdlib.h>
#include <string.h>

static void require(bool held)
{
        if (!held)
                abort();
}

static void encode_map(struct buf *out, const struct wire_message *m, const union wire_body *body)
{
        buf_init(out, 0);
        require(wire_encode_map(out, m, body) == 0);
        require(wire_check(buf_bytes(out)) == 0);
}

static void round_trip(const struct wire_message *m, const union wire_body *body)
{
        struct wire_refusal why;
        union wire_body again;
        struct buf first, second;

        encode_map(&first, m, body);
        require(wire_decode(m, buf_bytes(&first), &again, &why) == 0);
        encode_map(&second, m, &again);
        require(buf_size(&first) == buf_size(&second));
        require(!memcmp(buf_head(&first), buf_head(&second), buf_size(&first)));
        buf_fini(&first);
        buf_fini(&second);
}

static void decode_as(const struct wire_message *m, struct bytes frame, bool well_formed)
{
        struct wire_refusal why = {0};
        union wire_body body;
        int r = wire_decode(m, frame, &body, &why);

        if (r) {
                require(r == 1 && why.code > WIRE_OK && why.code < WIRE_CODES && *why.message);
                return;
        }
        /* Unchecked bytes may be decoded as far as they go, but nothing is promised about what is in them. */
        if (well_formed)
                round_trip(m, &body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct bytes frame = {data, size};
        bool well_formed = wire_check(frame) == 0;
        struct wire_refusal why = {0};
        struct wire_head head;

        if (wire_open(frame, &head, &why) == 0)
                require(well_formed && !head.op.len + !head.event.len + !head.is_reply == 2);
        else
                require(why.code == WIRE_BAD_FRAME && *why.message);
        for (int i = 0; i < WIRE_IDS; i++)
                decode_as(&wire_messages[i], frame, well_formed);
        return 0;
}
