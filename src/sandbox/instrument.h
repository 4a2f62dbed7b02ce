/*
 * Whether this process runs under a sanitizer or valgrind. Their runtimes need address space, files and system calls
 * that a worker must not have, so some layers stay open there; each of them is then reported as partial or absent.
 */
#pragma once

#include <stdbool.h>

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

static inline bool instrumented(void)
{
#ifdef SANDBOX_SANITIZED
        return true;
#else
        return RUNNING_ON_VALGRIND;
#endif
}
