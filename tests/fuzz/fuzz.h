/* What a fuzz target offers: libFuzzer's entry point. It aborts on a broken promise and ignores what is refused. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
