/* A handle that is connected to a fake supervisor, as most tests of libpoppo begin with. */
#pragma once

#include "fake_server.h"
#include "poppo/poppo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define CODE(text) "{\"type\":\"execute-code\",\"code\":\"" text "\"}"

struct fixture {
        struct fake fake;
        struct poppo *poppo;
};

static inline struct poppo *connect_to(const struct fake *fake)
{
        struct poppo *p;

        assert_int_equal(poppo_new(&p), 0);
        assert_int_equal(poppo_connect(p, fake->path), 0);
        return p;
}

#define SERVE(f, reverse, ...)                                                                               \
        static const struct fake_rule rules[] = {__VA_ARGS__};                                               \
        struct fixture f;                                                                                    \
        fake_start(&f.fake, rules, sizeof(rules) / sizeof(rules[0]), reverse);                               \
        f.poppo = connect_to(&f.fake)

static inline void finish(struct fixture *f)
{
        poppo_free(f->poppo);
        fake_stop(&f->fake);
}
