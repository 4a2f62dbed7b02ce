/* UUIDv7: 48 bits of wall milliseconds, a 12-bit counter within one millisecond, 62 random bits. */
#include "base/uuid.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { POOL_BYTES = 1024, COUNTER_MAX = 0xfff };

static void random_bytes(uint8_t *out, size_t n)
{
        static uint8_t pool[POOL_BYTES];
        static size_t left;

        if (left < n) {
                /* getrandom(2) of up to 256 bytes is never cut short; a larger one may be, so ask in pieces. */
                for (size_t i = 0; i < POOL_BYTES; i += 256)
                        while (getrandom(pool + i, 256, 0) != 256)
                                ;
                left = POOL_BYTES;
        }
        left -= n;
        memcpy(out, pool + left, n);
        memset(pool + left, 0, n);
}

struct uuid uuid_new(void)
{
        static int64_t last_ms;
        static unsigned int counter;
        int64_t ms = clock_wall_ms();
        struct uuid id;

        if (ms > last_ms) {
                last_ms = ms;
                counter = 0;
        } else if (++counter > COUNTER_MAX) {
                last_ms++;
                counter = 0;
        }
        for (int i = 0; i < 6; i++)
                id.bytes[i] = (uint8_t)(last_ms >> (40 - 8 * i));
        id.bytes[6] = (uint8_t)(0x70 | counter >> 8);
        id.bytes[7] = (uint8_t)counter;
        random_bytes(id.bytes + 8, 8);
        id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3f));
        return id;
}

static bool is_dash(size_t at)
{
        return at == 8 || at == 13 || at == 18 || at == 23;
}

void uuid_format(const struct uuid *id, char text[static UUID_TEXT + 1])
{
        static const char hex[] = "0123456789abcdef";
        const uint8_t *b = id->bytes;

        for (size_t at = 0; at < UUID_TEXT; b++) {
                if (is_dash(at))
                        text[at++] = '-';
                text[at++] = hex[*b >> 4];
                text[at++] = hex[*b & 15];
        }
        text[UUID_TEXT] = 0;
}

static int nibble(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool uuid_parse(const char *text, size_t len, struct uuid *out)
{
        uint8_t *b = out->bytes;

        if (len != UUID_TEXT)
                return false;
        for (size_t at = 0; at < UUID_TEXT;) {
                int hi, lo;

                if (is_dash(at) && text[at++] != '-')
                        return false;
                hi = nibble(text[at++]);
                lo = nibble(text[at++]);
                if (hi < 0 || lo < 0)
                        return false;
                *b++ = (uint8_t)(hi << 4 | lo);
        }
        return true;
}
