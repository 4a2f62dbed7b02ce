/* Between the files of the jail: building the root, becoming nobody, and a tree's init. */
#pragma once

#include "sandbox/jail.h"

/* What a tree's init says to the jailer; one packet each. */
enum jail_word { JAIL_SETUP_FAILED, JAIL_EXEC_FAILED, JAIL_ENDED };
struct jail_report {
        enum jail_word word;
        int value;            /* -errno, or the status */
        char what[JAIL_WHAT]; /* failed; of an end: the call that was denied */
};

/* Writes jail.fault and returns r. */
int jail_fail(struct jail *j, int r, const char *what);

/* The number of the calling process's namespace of this kind; 0: not to be known. Needs a /proc. */
ino_t jail_namespace_of_self(const char *kind);

/* Builds the root in a mount namespace of its own and moves the calling process into it. */
int jail_root_build(struct jail *j);

/* Makes the calling process able to make namespaces. */
int jail_identity_enter(struct jail *j);
/* In init, for good: no groups, no capabilities, the tree's user. */
int jail_identity_drop(const struct jail *j);

/* In the process that becomes the command. Negative: one of them could not be set. */
int jail_limits_set(const struct jail *j);
/* Whether they read back as they should be. */
bool jail_limits_hold(const struct jail *j);

/* ---- control groups; what they cannot do is no failure of a jail's ---- */

#define JAIL_NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWCGROUP)

struct jail_birth {
        struct jail_tree *tree;
        const struct jail_command *command;
        int line;
};

void jail_group_init(struct jail_group *g);
void jail_group_fini(struct jail_group *g);
/* As the spec has it. */
void jail_group_open(struct jail *j);
/* One thread again, until the next jail_group_open(): what is done to the jailer's mounts needs that. */
void jail_group_rest(struct jail *j);
/* A tree's first process, in its namespaces and its group. Its pid, or -errno. */
pid_t jail_group_birth(struct jail_birth *b);
void jail_group_kill(struct jail *j);
uint64_t jail_group_cpu_us(const struct jail *j);
/* At the end of a tree: what it used, and whether memory was the reason. */
void jail_group_account(struct jail *j, const struct rusage *used, struct jail_end *end);
/* For the probe: a few processes only, or as many as ever. */
void jail_group_narrow(struct jail *j, bool narrow);
bool jail_group_has(const struct jail *j, enum cgroup_part part);

/* What a tree's first process brings along. */
struct jail_entry {
        const struct jail *jail;
        const struct jail_command *command;
        int disk, net, line, learner, event, kills;
        int fds[JAIL_FDS_MAX]; /* as in the command */
};

/* Lays all layers but the command's own around the calling process, and closes what is the jailer's.
 * Negative: *what was the step that failed. */
int jail_enter(struct jail_entry *e, const char **what);

/* In a new tree's first process. */
_Noreturn void jail_init_run(const struct jail_tree *t, const struct jail_command *c, int line);
