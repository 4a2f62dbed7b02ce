/*
 * Everything below this function's frame is dead. The first part is wiped by hand, which is all that most
 * tasks need; a strip under it tells whether a task went deeper, since untouched stack is zero. Then the
 * kernel takes back a step at a time, each no larger than the gap that it keeps under a stack, until a clean
 * strip is found.
 */
#include "worker/js/stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

enum { SHALLOW = 32 * 1024, STRIP = 8 * 1024, STEP = 256 * 1024, PAGE_BYTES = 4096, WORD = sizeof(uint64_t) };

/* Lays an array over the dead part, wipes it but for the strip at its low end, and says whether that is
 * clean. It calls nothing, which would leave an address below. */
__attribute__((noinline)) static bool wipe_shallow(uintptr_t *end_of_strip)
{
        volatile uint64_t dead[(STRIP + SHALLOW) / WORD];
        uint64_t found = 0;

        for (size_t i = STRIP / WORD; i < sizeof(dead) / WORD; i++)
                dead[i] = 0;
        for (size_t i = 0; i < STRIP / WORD; i++)
                found |= dead[i];
        *end_of_strip = (uintptr_t)&dead[STRIP / WORD];
        return !found;
}

/* Reads below the stack pointer on purpose, which sanitizers take for a mistake. */
__attribute__((noinline, no_sanitize("address"))) static bool is_clean(uintptr_t end)
{
        const volatile uint64_t *at = (const volatile uint64_t *)(end - STRIP);

        for (size_t i = 0; i < STRIP / WORD; i++)
                if (at[i])
                        return false;
        return true;
}

void stack_wipe(void)
{
        uintptr_t at;

        if (wipe_shallow(&at))
                return;
        at = (at + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
        do {
                at -= STEP;
                /* ENOMEM says that the stack has not grown so far down: what there is was taken back. */
                madvise((void *)at, STEP, MADV_DONTNEED);
        } while (!is_clean(at));
}
