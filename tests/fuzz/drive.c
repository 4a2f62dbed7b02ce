/*
 * Drives a fuzz target without libFuzzer: seeds from the message table, mutated at random for POPPO_FUZZ_SECONDS.
 *   drive_wire [SEED]     repeats the run with that seed
 * The input that broke a promise is on stderr as hex, followed by the seed.
 */
#include "base/clock.h"
#include "fuzz.h"
#include "sample.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { INPUT_MAX = 4096, SEED_MAX = 1024, DEFAULT_SECONDS = 3, LONG_SECONDS = 300 };

static struct {
        uint8_t data[SEED_MAX];
        size_t size;
} seeds[2 * WIRE_IDS];

static uint8_t input[INPUT_MAX];
static size_t input_size;
static uint64_t random_state, first_state;

static uint64_t draw(uint64_t below)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state % below;
}

/* A frame with its length, envelope included, for every message; alternately with and without optional fields. */
static void make_seed(int i)
{
        const struct wire_message *m = &wire_messages[i / 2];
        struct sample s = {.m = m, .extent = i % 2 ? SAMPLE_ALL : SAMPLE_NEEDED, .field = -1};
        struct buf out;
        struct pack p;

        buf_init(&out, 0);
        pack_init(&p, &out);
        pack_raw(&p, (struct bytes){(const uint8_t *)"\0\0\0\x40", i % 3 ? 0 : 4});
        sample_map(&p, &s);
        seeds[i].size = buf_size(&out) < SEED_MAX ? buf_size(&out) : SEED_MAX;
        memcpy(seeds[i].data, buf_head(&out), seeds[i].size);
        buf_fini(&out);
}

static void flip_bit(void)
{
        input[draw(input_size)] ^= (uint8_t)(1u << draw(8));
}

static void set_byte(void)
{
        static const uint8_t telling[] = {0x00, 0x7f, 0x80, 0x81, 0x90, 0xa0, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xc9, 0xca,
                0xcb, 0xcf, 0xd3, 0xd4, 0xd8, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff};

        input[draw(input_size)] = telling[draw(sizeof(telling))];
}

static void remove_run(void)
{
        size_t at = draw(input_size), n = 1 + draw(input_size - at);

        memmove(input + at, input + at + n, input_size - at - n);
        input_size -= n;
}

static void insert_seed(void)
{
        const uint8_t *data = seeds[draw(2 * WIRE_IDS)].data;
        size_t at = draw(input_size), n = 1 + draw(64);

        if (n > INPUT_MAX - input_size)
                return;
        memmove(input + at + n, input + at, input_size - at);
        memcpy(input + at, data, n);
        input_size += n;
}

static void nest(void)
{
        size_t n = 1 + draw(40);

        if (n > INPUT_MAX - input_size)
                return;
        memmove(input + n, input, input_size);
        memset(input, draw(2) ? 0x91 : 0x81, n);
        input_size += n;
}

static void truncate_tail(void)
{
        input_size = draw(input_size);
}

static void (*const mutations[])(void) = {flip_bit, set_byte, set_byte, remove_run, insert_seed, nest, truncate_tail};

/* An exact heap copy, so that reading one byte too far is seen. */
static void try_input(void)
{
        uint8_t *exact = malloc(input_size ? input_size : 1);

        if (!exact)
                abort();
        memcpy(exact, input, input_size);
        LLVMFuzzerTestOneInput(exact, input_size);
        free(exact);
}

static void step(void)
{
        int i = (int)draw(2 * WIRE_IDS);

        memcpy(input, seeds[i].data, seeds[i].size);
        input_size = seeds[i].size;
        for (uint64_t n = draw(6); n && input_size; n--)
                mutations[draw(sizeof(mutations) / sizeof(mutations[0]))]();
        try_input();
}

static void on_crash(int sig)
{
        dprintf(STDERR_FILENO, "# broke with seed %" PRIu64 " on %zu bytes: ", first_state, input_size);
        for (size_t i = 0; i < input_size; i++)
                dprintf(STDERR_FILENO, "%02x", input[i]);
        dprintf(STDERR_FILENO, "\n");
        signal(sig, SIG_DFL);
        raise(sig);
}

static int seconds(void)
{
        const char *text = getenv("POPPO_FUZZ_SECONDS");

        if (text)
                return atoi(text);
        return getenv("POPPO_LONG") ? LONG_SECONDS : DEFAULT_SECONDS;
}

int main(int argc, char **argv)
{
        int64_t end = clock_now() + seconds() * NS_PER_S;
        uint64_t n = 0;

        if (getrandom(&first_state, sizeof(first_state), 0) != sizeof(first_state))
                return 1;
        first_state = argc > 1 ? strtoull(argv[1], NULL, 10) : first_state | 1;
        random_state = first_state;
        signal(SIGABRT, on_crash);
        signal(SIGSEGV, on_crash);
        for (int i = 0; i < 2 * WIRE_IDS; i++)
                make_seed(i);
        printf("1..1\n# seed %" PRIu64 "\n", first_state);
        fflush(stdout);
        for (; clock_now() < end; n++)
                step();
        printf("ok 1 - %" PRIu64 " inputs\n", n);
        return 0;
}
