/* What the words of syscalls.def mean, said a second time: tests compare the filters with this, not with
 * themselves. */
#pragma once

#include "sandbox/filter.h"

#include <linux/types.h>

/* What a call with these arguments gets where its row has that word: ALLOW, REFUSE, ABSENT or KILL. rest:
 * what the profile answers to calls without a row. */
enum filter_action filter_meaning(enum filter_action action, const __u64 args[6], enum filter_action rest);
