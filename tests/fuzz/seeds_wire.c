/* Food for the targets that read MessagePack: a frame for every row of messages.def. */
#include "fuzz.h"
#include "sample.h"

#include <string.h>

const uint8_t fuzz_telling[] = {0x00, 0x7f, 0x80, 0x81, 0x90, 0x91, 0xa0, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xc9,
        0xca, 0xcb, 0xcf, 0xd3, 0xd4, 0xd8, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff};
const size_t fuzz_n_telling = sizeof(fuzz_telling);

/* A frame with its length, envelope included, for every message; alternately with and without optional
 * fields. */
size_t fuzz_seed(size_t number, uint8_t *out)
{
        struct sample s = {.extent = number % 2 ? SAMPLE_ALL : SAMPLE_NEEDED, .field = -1};
        struct buf frame;
        struct pack p;
        size_t n;

        if (number / 2 >= WIRE_IDS)
                return 0;
        s.m = &wire_messages[number / 2];
        buf_init(&frame, 0);
        pack_init(&p, &frame);
        pack_raw(&p, (struct bytes){(const uint8_t *)"\0\0\0\x40", number % 3 ? 0 : 4});
        sample_map(&p, &s);
        n = buf_size(&frame) < FUZZ_SEED_MAX ? buf_size(&frame) : FUZZ_SEED_MAX;
        memcpy(out, buf_head(&frame), n);
        buf_fini(&frame);
        return n;
}
