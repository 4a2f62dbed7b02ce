/* The actions of syscalls.def that look at arguments, as tests for libseccomp. What lies behind a pointer it
 * cannot see. */
#pragma once

#include "sandbox/filter.h"

#include <seccomp.h>

/* The call gets this answer where all of the tests hold. A test compares one argument; none is tested twice.
 */
struct filter_condition {
        enum filter_action action, answer;
        unsigned int n_tests;
        struct scmp_arg_cmp tests[3];
};

extern const struct filter_condition filter_conditions[];
extern const size_t filter_n_conditions;
