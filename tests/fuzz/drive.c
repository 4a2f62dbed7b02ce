/*
 * Drives a fuzz target without libFuzzer: the target's seeds, mutated at random for POPPO_FUZZ_SECONDS.
 *   drive_wire [SEED]     repeats the run with that seed
 * The input that broke a promise is on stderr as hex, followed by the seed.
 */
#include "base/clock.h"
#include "fuzz.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { INPUT_MAX = 4096, SEEDS_MAX = 1024, DEFAULT_SECONDS = 3, LONG_SECONDS = 300 };

static struct {
        uint8_t data[FUZZ_SEED_MAX];
        size_t size;
} seeds[SEEDS_MAX];
static size_t n_seeds;

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

static void flip_bit(void)
{
        input[draw(input_size)] ^= (uint8_t)(1u << draw(8));
}

static void set_byte(void)
{
        input[draw(input_size)] = fuzz_telling[draw(fuzz_n_telling)];
}

static void remove_run(void)
{
        size_t at = draw(input_size), n = 1 + draw(input_size - at);

        memmove(input + at, input + at + n, input_size - at - n);
        input_size -= n;
}

static void insert_seed(void)
{
        const uint8_t *data = seeds[draw(n_seeds)].data;
        size_t at = draw(input_size), n = 1 + draw(64);

        if (n > INPUT_MAX - input_size)
                return;
        memmove(input + at + n, input + at, input_size - at);
        memcpy(input + at, data, n);
        input_size += n;
}

static void repeat(void)
{
        size_t n = 1 + draw(40);

        if (n > INPUT_MAX - input_size)
                return;
        memmove(input + n, input, input_size);
        memset(input, fuzz_telling[draw(fuzz_n_telling)], n);
        input_size += n;
}

static void truncate_tail(void)
{
        input_size = draw(input_size);
}

static void (*const mutations[])(void) = {flip_bit, set_byte, set_byte, remove_run, insert_seed, repeat, truncate_tail};

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
        int i = (int)draw(n_seeds);

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
        for (; n_seeds < SEEDS_MAX && (seeds[n_seeds].size = fuzz_seed(n_seeds, seeds[n_seeds].data)); n_seeds++) {
        }
        printf("1..1\n# seed %" PRIu64 "\n", first_state);
        fflush(stdout);
        for (; clock_now() < end; n++)
                step();
        printf("ok 1 - %" PRIu64 " inputs\n", n);
        return 0;
}
