/*
 * One group for all trees of a jailer where its peak can begin anew: what a tree leaves in it (pages of files
 * that it was the first to read) is given back before the next one starts, so that it neither counts nor
 * costs, and no group that is removed while something is charged to it stays behind in the kernel. Else each
 * tree has a fresh one.
 */
#include "sandbox/jail_private.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A limit is reached when less than this is left of it: the kernel charges many pages at a time. */
enum { FULL_SLACK = 256 * 1024, PROBE_FORKS = 2, NAMES = 8, CHARGED_AT_ONCE = 2 * 64 * 4096 };

static const struct cgroup *above(const struct jail_group *g)
{
        return *g->project ? &g->above : &g->host->base;
}

void jail_group_init(struct jail_group *g)
{
        *g = (struct jail_group){.event = -1, .kills = -1};
        cgroup_init(&g->above);
        cgroup_init(&g->own);
}

static void forget(struct jail_group *g, enum cgroup_part part)
{
        cleanup_close(&g->own.dirs[part]);
        g->own.dirs[part] = -1;
}

/* ---- limits ---- */

static uint64_t or_unlimited(uint64_t limit)
{
        return limit ? limit : CGROUP_UNLIMITED;
}

/* Its init counts, and who forks it. */
static uint64_t own_processes(const struct jail_group *g)
{
        return 1 + g->cradle.running;
}

static int limit_processes(struct jail *j, uint64_t n)
{
        struct jail_group *g = &j->group;

        g->processes = n;
        return cgroup_limit_pids(g->host, &g->own, n ? n + own_processes(g) : CGROUP_UNLIMITED);
}

static int limit_memory(struct jail *j, uint64_t bytes)
{
        struct jail_group *g = &j->group;
        int r = cgroup_limit_memory(g->host, &g->own, or_unlimited(bytes));

        g->memory = bytes;
        if (!r)
                cgroup_die_together(g->host, &g->own);
        return r;
}

/* A group whose limit does not hold is no bound: it is as if there were none. The probe says so; after it no tree is
 * started without what it has seen. */
static void set_limits(struct jail *j, bool all)
{
        struct jail_group *g = &j->group;
        const struct jail_spec *s = &j->spec;

        if (g->own.dirs[CGROUP_MEMORY] >= 0 && (all || g->memory != s->tree_memory_bytes) &&
                limit_memory(j, s->tree_memory_bytes))
                forget(g, CGROUP_MEMORY);
        if (g->own.dirs[CGROUP_PIDS] >= 0 && (all || g->processes != s->processes) &&
                limit_processes(j, s->processes))
                forget(g, CGROUP_PIDS);
}

/* ---- life ---- */

static void unwatch(struct jail_group *g)
{
        cleanup_close(&g->event);
        cleanup_close(&g->kills);
        g->event = g->kills = -1;
}

static void leave(struct jail_group *g)
{
        cradle_stop(&g->cradle);
        unwatch(g);
        if (g->host)
                cgroup_remove(above(g), g->name, &g->own);
        cgroup_close(&g->above);
}

/* The slot's last jailer may be dead and its tree not quite, and would count for this one. False: no name is free. */
static bool choose_name(struct jail *j)
{
        struct jail_group *g = &j->group;

        for (int k = 0; k < NAMES; k++) {
                snprintf(g->name, sizeof(g->name), k ? "tree-%u.%d" : "tree-%u", j->spec.slot, k);
                if (!cgroup_remove(above(g), g->name, NULL))
                        return true;
        }
        return false;
}

/* Without a name of its own it has no group: what others do in one must not count for it. */
static void make(struct jail *j)
{
        struct jail_group *g = &j->group;

        if (!choose_name(j)) {
                cgroup_close(&g->own);
                return;
        }
        cgroup_make(g->host, above(g), g->name, &g->own);
        g->event = cgroup_watch_memory(g->host, &g->own);
        g->kills = cgroup_open_kills(g->host, &g->own);
}

/* Where it cannot enter, nothing of version 1 counts. */
static void man_cradle(struct jail_group *g)
{
        if (g->cradle.running || cgroup_has_birth(g->host) || !cradle_start(&g->cradle, g->host, &g->own))
                return;
        for (int p = 0; p < CGROUP_PARTS; p++)
                if (g->host->versions[p] == 1)
                        forget(g, (enum cgroup_part)p);
}

void jail_group_rest(struct jail *j)
{
        cradle_stop(&j->group.cradle);
}

void jail_group_open(struct jail *j)
{
        struct jail_group *g = &j->group;
        const char *project = j->spec.project ? j->spec.project : "";
        bool fresh = !g->host || strcmp(g->project, project), rests = !g->cradle.running;

        if (!j->spec.groups)
                return;
        if (fresh) {
                leave(g);
                g->host = j->spec.groups;
                snprintf(g->project, sizeof(g->project), "%s", project);
                if (*project)
                        cgroup_make(g->host, &g->host->base, project, &g->above);
                make(j);
        }
        man_cradle(g);
        set_limits(j, fresh || rests);
}

void jail_group_fini(struct jail_group *g)
{
        leave(g);
        jail_group_init(g);
}

/* ---- a tree ---- */

static void renew(struct jail *j)
{
        struct jail_group *g = &j->group;

        unwatch(g);
        cgroup_remove(above(g), g->name, &g->own);
        g->killed = false;
        make(j);
        set_limits(j, true);
}

static void begin(struct jail *j)
{
        struct jail_group *g = &j->group;
        uint64_t events;

        if (!cgroup_reset(g->host, &g->own) || g->killed)
                renew(j);
        if (g->event >= 0)
                (void)!read(g->event, &events, sizeof(events));
        cgroup_read(g->host, &g->own, &g->before);
}

static pid_t clone_into(struct jail_birth *b, int dir)
{
        struct clone_args args = {.flags = JAIL_NAMESPACES | CLONE_PIDFD | CLONE_INTO_CGROUP,
                .pidfd = (uint64_t)(uintptr_t)&b->tree->pidfd,
                .exit_signal = SIGCHLD,
                .cgroup = (uint64_t)dir};

        return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

/* Where the kernel does not let it be born there, it is not there: none of version 2 counts any more. */
static void forget_birthplace(struct jail_group *g)
{
        for (int p = 0; p < CGROUP_PARTS; p++)
                if (g->host->versions[p] == 2)
                        forget(g, (enum cgroup_part)p);
}

static bool has_what_was_proved(const struct jail_group *g)
{
        for (int p = 0; p < CGROUP_PARTS; p++)
                if (g->proved[p] && g->own.dirs[p] < 0)
                        return false;
        return true;
}

static pid_t give_birth(void *arg)
{
        struct jail_birth *b = arg;
        struct jail_group *g = &b->tree->jail->group;
        int dir = g->host ? cgroup_birthplace(g->host, &g->own) : -1;
        pid_t pid = dir >= 0 ? clone_into(b, dir) : -1;

        if (dir >= 0 && pid < 0) {
                int error = errno;

                forget_birthplace(g);
                if (!has_what_was_proved(g))
                        return -error;
        }
        if (pid < 0)
                pid = (pid_t)syscall(
                        SYS_clone, JAIL_NAMESPACES | CLONE_PIDFD | SIGCHLD, NULL, &b->tree->pidfd, NULL, 0);
        if (!pid)
                jail_init_run(b->tree, b->command, b->line);
        return pid < 0 ? -errno : pid;
}

pid_t jail_group_birth(struct jail_birth *b)
{
        struct jail_group *g = &b->tree->jail->group;

        if (g->host)
                begin(b->tree->jail);
        if (!has_what_was_proved(g))
                return error_origin(-ENOLCK);
        return g->cradle.running ? cradle_call(&g->cradle, give_birth, b) : give_birth(b);
}

/* A group of version 2 that was killed once kills what is born into it later (seen on Linux 6.18). So only where none is
 * used again; the end of the tree's first process is the end of all others anyway. */
void jail_group_kill(struct jail *j)
{
        struct jail_group *g = &j->group;

        if (g->host && cgroup_has_birth(g->host))
                g->killed |= cgroup_kill(&g->own);
}

/* ---- its end ---- */

static uint64_t since(uint64_t now, uint64_t before)
{
        return now > before ? now - before : 0;
}

static uint64_t us_of(struct timeval tv)
{
        return (uint64_t)tv.tv_sec * 1000000u + (uint64_t)tv.tv_usec;
}

uint64_t jail_group_cpu_us(const struct jail *j)
{
        const struct jail_group *g = &j->group;
        struct cgroup_usage now;

        if (!g->host || g->own.dirs[CGROUP_TIME] < 0)
                return 0;
        cgroup_read(g->host, &g->own, &now);
        return since(now.cpu_us, g->before.cpu_us);
}

/* Of what others left some may be given back only while this tree is there: by as much its peak would seem smaller. The
 * kernel charges and gives back in batches of 64 pages for each processor, so two of these are added: what is told is a
 * little more rather than less than what was used.
 * What a group counts is the tree's, whoever waited for whom; of what is not counted there the kernel tells
 * what each process told its parent. */
void jail_group_account(struct jail *j, const struct rusage *used, struct jail_end *end)
{
        const struct jail_group *g = &j->group;
        struct cgroup_usage now = {0};

        if (g->host)
                cgroup_read(g->host, &g->own, &now);
        end->cpu_us = us_of(used->ru_utime) + us_of(used->ru_stime);
        end->peak_bytes = (uint64_t)used->ru_maxrss * 1024;
        if (g->host && g->own.dirs[CGROUP_TIME] >= 0)
                end->cpu_us = since(now.cpu_us, g->before.cpu_us);
        end->refused_forks = since(now.refused_forks, g->before.refused_forks);
        if (!g->host || g->own.dirs[CGROUP_MEMORY] < 0)
                return;
        end->out_of_memory = now.oom_kills > g->before.oom_kills;
        end->full = g->memory && now.peak + FULL_SLACK >= g->memory;
        end->peak_bytes = end->full ? now.peak : since(now.peak, g->before.memory);
        if (!end->full && g->before.memory)
                end->peak_bytes += CHARGED_AT_ONCE;
}

/* ---- the probe's part ---- */

/* So that a few forks are one too many, and what the last tree left does not go while the probe is looked at. */
void jail_group_narrow(struct jail *j, bool narrow)
{
        for (int p = 0; p < CGROUP_PARTS; p++)
                j->group.proved[p] = !narrow && j->group.own.dirs[p] >= 0;
        if (j->group.host && narrow)
                cgroup_give_back(j->group.host, &j->group.own);
        if (j->group.host && j->group.own.dirs[CGROUP_PIDS] >= 0 &&
                limit_processes(j, narrow ? PROBE_FORKS : j->spec.processes))
                forget(&j->group, CGROUP_PIDS);
}

bool jail_group_has(const struct jail *j, enum cgroup_part part)
{
        return j->group.host && j->group.own.dirs[part] >= 0;
}
