/* What a fuzz target offers: libFuzzer's entry point, and food for the driver that does without libFuzzer. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { FUZZ_SEED_MAX = 1024 };

/* Aborts on a broken promise and ignores what is refused. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the seed with this number, at most FUZZ_SEED_MAX bytes, and says how many; 0: there are no more. */
size_t fuzz_seed(size_t number, uint8_t *out);

/* Bytes that mean something to the target. */
extern const uint8_t fuzz_telling[];
extern const size_t fuzz_n_telling;
