/* A pool outside the arena saves a system call for each number. It is empty at the fork, so no two workers
 * share one. */
#include "worker/js/random.h"

#include <stdint.h>
#include <sys/random.h>

/* 256 bytes: so many the kernel gives whole, whatever signal comes. */
enum { POOL = 32, MANTISSA_BITS = 53 };

static uint64_t pool[POOL];
static unsigned int left;

static duk_ret_t js_random(duk_context *ctx)
{
        uint64_t bits;

        if (!left) {
                if (getrandom(pool, sizeof(pool), 0) != sizeof(pool))
                        return duk_error(ctx, DUK_ERR_ERROR, "the kernel gave no random numbers");
                left = POOL;
        }
        bits = pool[--left];
        pool[left] = 0;
        duk_push_number(ctx, (double)(bits >> (64 - MANTISSA_BITS)) * 0x1p-53);
        return 1;
}

void random_install(duk_context *ctx)
{
        duk_get_global_literal(ctx, "Math");
        duk_push_c_function(ctx, js_random, 0);
        duk_push_literal(ctx, "random");
        duk_dup(ctx, -2);
        duk_def_prop(ctx, -4, DUK_DEFPROP_HAVE_VALUE | DUK_DEFPROP_SET_WC | DUK_DEFPROP_CLEAR_ENUMERABLE);
        duk_pop_2(ctx);
}
