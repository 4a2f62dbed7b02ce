/*
 * The system call filter of a class: built once in the spawner from syscalls.def (libseccomp needs 240 us for
 * it), kept as a program, and loaded raw by every child.
 */
#pragma once

#include "sandbox/profile.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From the mildest to the strictest. Those between ALLOW and REFUSE look at the arguments. */
enum filter_action {
        FILTER_ALLOW,
        FILTER_OWN,
        FILTER_SOCKET,
        FILTER_UNIX,
        FILTER_IOCTL,
        FILTER_PERSONA,
        FILTER_NOEXEC,
        FILTER_RDONLY,
        FILTER_INET,
        FILTER_OPTION,
        FILTER_PAIR,
        FILTER_FLAGS,
        FILTER_PENDING,
        FILTER_HANDLER,
        FILTER_SELF,
        FILTER_THREAD,
        FILTER_REFUSE,
        FILTER_ABSENT,
        FILTER_KILL,
        FILTER_NONE,
        FILTER_ACTIONS
};

/* One row of syscalls.def. Numbers are those of the machine that this was built for; negative: it has no such
 * call. */
struct filter_rule {
        const char *name, *reason;
        int number;
        enum filter_action action[PROFILES], start;
};

extern const struct filter_rule filter_rules[];
extern const size_t filter_n_rules;

struct filter {
        struct sock_filter *code;
        unsigned short len; /* instructions */
        bool asks;          /* whoever loads it gets a listener, who must be there */
        enum profile profile;
        bool starts;
};

/* Instead of the kernel's killing. */
enum filter_instead {
        FILTER_TRAPS, /* SIGSYS, which a handler may catch; siginfo says which call it was. The call is not
                         made */
        FILTER_ASKS,  /* the caller waits, and a listener decides */
        FILTER_LEARNS /* the same, also where the table refuses */
};

/* What a call without a row gets. */
enum filter_action filter_rest(enum profile profile);
/* What a row says; starts: with what an executable needs to be started. */
enum filter_action filter_answer(const struct filter_rule *rule, enum profile profile, bool starts);

int filter_build(struct filter *f, enum profile profile, bool starts);
/* For a process that is no worker: these calls pass, with the conditions of their actions; any other gets `rest`. What this
 * machine has no call for is left out. */
struct filter_call {
        const char *name;
        enum filter_action action;
};
int filter_build_list(struct filter *f, const struct filter_call *calls, size_t n, enum filter_action rest);
/* The other way round: these fail, and any other one passes. for_good: with EPERM; else with ENOSYS, and what is started
 * from here may have a filter of its own that says more of them. */
int filter_build_refusing(struct filter *f, const int *calls, size_t n, bool for_good);
void filter_fini(struct filter *f);

/* Before it is loaded. */
void filter_instead(struct filter *f, enum filter_instead instead);

/* What the profile answers to such a call: ALLOW, REFUSE, ABSENT or KILL. */
enum filter_action filter_verdict(enum profile profile, bool starts, const struct seccomp_data *call);

enum { FILTER_CALL_NAME = 48 };
/* Once, where memory may be had: the names of calls without a row. */
void filter_prepare_names(void);
/* The call's name; a number where it has none. In a signal handler as well. */
void filter_name_call(uint32_t arch, int number, char name[static FILTER_CALL_NAME]);

/* For this process and all that descends from it, for good. Needs no_new_privs. */
int filter_load(const struct filter *f);
/* The same for one that asks: its listener, close-on-exec. */
int filter_load_listening(const struct filter *f);
