/*
 * Control groups: what the kernel counts and bounds for many processes together. Version 2 and the
 * hierarchies of version 1, also mixed, behind one set of calls; which of them serves a part is found out and
 * never assumed.
 *
 *   the group that poppod was started in
 *     poppo-PID-START-NS        the supervisor's own, made by whoever has the rights (the spawner)
 *       supervisor              version 2: its processes, since groups that have groups hold none
 *       tree-SLOT               one process tree (sandbox/jail.h)
 *
 * A part that cannot be had is no failure: cgroup_why() says what is missing, and what would mend it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* TIME: how much of the processors was used. KILL: all of a group at once. */
enum cgroup_part { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_TIME, CGROUP_KILL, CGROUP_PARTS };

enum { CGROUP_NAME = 64, CGROUP_PATH = 4096, CGROUP_WHY = 240 };

/* No limit, as a value to set and as one that is read. */
#define CGROUP_UNLIMITED UINT64_MAX

/* One directory a part, -1 where there is none; several parts may lie in one hierarchy. */
struct cgroup {
        int dirs[CGROUP_PARTS];
};

struct cgroup_host {
        struct cgroup base;
        int versions[CGROUP_PARTS]; /* 0: absent */
        char why[CGROUP_PARTS][CGROUP_WHY];
        char name[CGROUP_NAME];
        struct cgroup
                above; /* the group that poppod was started in; only in the process that made the base */
};

/* ---- the supervisor's own ---- */

void cgroup_host_init(struct cgroup_host *h);
/* Makes the base of the supervisor whose process `owner` is, or takes it over from a spawner before this one,
 * and removes what supervisors have left that are dead. */
void cgroup_host_open(struct cgroup_host *h, pid_t owner);
/* The same with other files than those of /proc/self. */
void cgroup_host_open_at(struct cgroup_host *h, pid_t owner, const char *cgroups, const char *mounts);
/* Removes the base and all below it that has no process. */
void cgroup_host_close(struct cgroup_host *h);
/* The one of this process: its children inherit it, and after this its descriptors are the numbers from
 * `first` on. Returns the first number behind them. Negative: -errno. */
int cgroup_host_move(struct cgroup_host *h, int first);
/* NULL: it is there. Else a sentence: what is missing, and what mends it. */
const char *cgroup_why(const struct cgroup_host *h, enum cgroup_part part);

/* ---- groups ---- */

void cgroup_init(struct cgroup *g);
/* Makes a group below another one, or opens the one that is there. Parts that fail are -1. */
void cgroup_make(const struct cgroup_host *h, const struct cgroup *in, const char *name, struct cgroup *g);
/* What has no process and no group below goes, and the group, which may be NULL, is closed. -EBUSY: a part of
 * it stays. */
int cgroup_remove(const struct cgroup *in, const char *name, struct cgroup *g);
void cgroup_close(struct cgroup *g);

/* Whether groups can be made for a process to be born in; else a thread enters them, and its children are in
 * them. */
bool cgroup_has_birth(const struct cgroup_host *h);
/* In hierarchies of version 1, the calling thread alone. -errno. */
int cgroup_enter_thread(const struct cgroup_host *h, const struct cgroup *g);
/* The directory for CLONE_INTO_CGROUP; -1: none. */
int cgroup_birthplace(const struct cgroup_host *h, const struct cgroup *g);
/* Kills all that is in it; false: not here. */
bool cgroup_kill(const struct cgroup *g);

/* ---- limits, read back after they were set: -ERANGE if they are not what was asked for ---- */

/* Swap is none of a group's with a limit. */
int cgroup_limit_memory(const struct cgroup_host *h, const struct cgroup *g, uint64_t bytes);
int cgroup_limit_pids(const struct cgroup_host *h, const struct cgroup *g, uint64_t n);
/* Of a second, in millionths: 1500000 is one processor and a half. */
int cgroup_limit_cpu(const struct cgroup_host *h, const struct cgroup *g, uint64_t millionths);
/* Version 2: who runs out of memory goes as a whole. -ENOENT: not here, see cgroup_watch_memory(). */
int cgroup_die_together(const struct cgroup_host *h, const struct cgroup *g);

/* ---- counters ---- */

struct cgroup_usage {
        uint64_t cpu_us;
        uint64_t memory, peak; /* bytes; of the peak: since the last cgroup_reset() */
        uint64_t oom_kills;    /* processes of this group that were killed since memory ran out somewhere */
        uint64_t refused_forks;
};

/* What cannot be read is 0. */
void cgroup_read(const struct cgroup_host *h, const struct cgroup *g, struct cgroup_usage *u);
/* What nobody needs any more (pages of files) is given back, where the kernel lets us ask for that. */
void cgroup_give_back(const struct cgroup_host *h, const struct cgroup *g);
/* Before it is used again: what others have left in it (pages of files) is given back, and the peak begins
 * anew. False: the peak cannot, so a new group is needed. */
bool cgroup_reset(const struct cgroup_host *h, const struct cgroup *g);
/* An eventfd that becomes readable when memory runs out in the group or above it: version 1. Else -errno. */
int cgroup_watch_memory(const struct cgroup_host *h, const struct cgroup *g);
/* A file to read from a process that cannot open it, and what is read there: processes killed for want of
 * memory. */
int cgroup_open_kills(const struct cgroup_host *h, const struct cgroup *g);
uint64_t cgroup_read_kills(int fd);
