/*
 * One system call, tried in a process that is locked up, and what must become of it by the published table
 * (src/sandbox/syscalls.def). Trials lie in memory that the prisoner shares with the test: it may have no
 * other way to answer. Each needs a process of its own, since it may well be its last one.
 */
#pragma once

#include "sandbox/filter.h"

#include <stdint.h>
#include <sys/types.h>

/* How the kernel is entered; the two others exist on x86-64 only. */
enum entry { ENTRY_NATIVE, ENTRY_X32, ENTRY_I386, ENTRIES };

struct trial {
        enum entry entry;
        int number;
        __u64 args[6];
        const char *name;            /* as far as the table knows it */
        enum filter_action expected; /* ALLOW, REFUSE, ABSENT or KILL */
        int patience_ms;             /* what still waits then was let in */
        volatile bool answered;
        volatile int64_t answer; /* or -errno */
};

/* In memory that children share. */
struct trial *trial_new(void);

/* Calls `go` for every trial of this profile: every number of the machine and beyond, by each way into the
 * kernel; those that look at arguments once with such as pass and once with others. starts: with what an
 * executable needs. How many. */
unsigned int trials_each(enum profile profile, bool starts, struct trial *t,
        void (*go)(struct trial *t, void *arg), void *arg);

/* In the prisoner: makes the call, and ends. */
_Noreturn void trial_make(struct trial *t);

/* In whoever has the prisoner's status, as from waitpid(), and is not locked up itself. SLOW: nothing can be
 * said; try it again, in another one. */
enum trial_end { TRIAL_RIGHT, TRIAL_WRONG, TRIAL_SLOW };
enum trial_end trial_judge(struct trial *t, int status);
/* What was wrong, as a failed test. */
void trial_fail(const struct trial *t, int status);
