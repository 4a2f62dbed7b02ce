/* Groups, their limits and counters: what both versions have, by the names that each of them has for it. */
#include "sandbox/cgroup_private.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PERIOD_US = 100000, QUOTA_LEAST_US = 1000, MILLION = 1000000 };

/* What may be left in a group that is used again: the kernel takes it when it is needed, and peaks are
 * counted from it on. To give it back takes about a millisecond, and what was just freed is still counted for
 * a while. */
enum { LEFT_BYTES = 16 << 20 };

static int set_quota_v1(int dir, uint64_t quota_us);
static int set_quota_v2(int dir, uint64_t quota_us);

/* NULL: that version has none. */
static const struct dialect {
        const char *unlimited;
        const char *memory_limit, *swap_limit, *memory, *peak, *reclaim, *oom, *oom_group;
        bool swap_is_sum; /* of memory and swap; else only swap */
        const char *time, *time_key;
        uint64_t times_a_us;
        const char *quota;
        int (*set_quota)(int dir, uint64_t quota_us);
} dialects[] = {
        [1] = {.unlimited = "-1",
                .memory_limit = "memory.limit_in_bytes",
                .swap_limit = "memory.memsw.limit_in_bytes",
                .swap_is_sum = true,
                .memory = "memory.usage_in_bytes",
                .peak = "memory.max_usage_in_bytes",
                .reclaim = "memory.force_empty",
                .oom = "memory.oom_control",
                .time = "cpuacct.usage",
                .times_a_us = 1000,
                .quota = "cpu.cfs_quota_us",
                .set_quota = set_quota_v1},
        [2] = {.unlimited = "max",
                .memory_limit = "memory.max",
                .swap_limit = "memory.swap.max",
                .memory = "memory.current",
                .peak = "memory.peak",
                .oom = "memory.events",
                .oom_group = "memory.oom.group",
                .time = "cpu.stat",
                .time_key = "usage_usec",
                .times_a_us = 1,
                .quota = "cpu.max",
                .set_quota = set_quota_v2},
};

static const struct dialect *dialect_of(
        const struct cgroup_host *h, const struct cgroup *g, enum cgroup_part part)
{
        return g->dirs[part] >= 0 ? &dialects[h->versions[part]] : NULL;
}

/* ---- files ---- */

int cgroup_write_file(int dir, const char *file, const char *text)
{
        CLEANUP(cleanup_close) int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
        size_t len = strlen(text);

        if (fd < 0)
                return -errno;
        return write(fd, text, len) == (ssize_t)len ? 0 : -errno;
}

int cgroup_read_file(int dir, const char *file, char text[static CGROUP_TEXT])
{
        CLEANUP(cleanup_close) int fd = openat(dir, file, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, CGROUP_TEXT - 1);

        if (n < 0)
                return -errno;
        text[n] = '\0';
        return 0;
}

int cgroup_find_number(const char *text, const char *key, uint64_t *n)
{
        size_t len = key ? strlen(key) : 0;
        char *end;

        for (; key && *text; text += strcspn(text, "\n"), text += *text == '\n')
                if (!strncmp(text, key, len) && text[len] == ' ')
                        break;
        if (key && !*text)
                return -ENOENT;
        text += key ? len + 1 : 0;
        if (!strncmp(text, "max", 3) || *text == '-') {
                *n = CGROUP_UNLIMITED;
                return 0;
        }
        *n = strtoull(text, &end, 10);
        return end == text ? -EINVAL : 0;
}

int cgroup_read_number(int dir, const char *file, const char *key, uint64_t *n)
{
        char text[CGROUP_TEXT];
        int r = cgroup_read_file(dir, file, text);

        return r ? r : cgroup_find_number(text, key, n);
}

/* ---- groups ---- */

void cgroup_init(struct cgroup *g)
{
        for (int p = 0; p < CGROUP_PARTS; p++)
                g->dirs[p] = -1;
}

void cgroup_close(struct cgroup *g)
{
        for (int p = 0; p < CGROUP_PARTS; p++)
                cleanup_close(&g->dirs[p]);
        cgroup_init(g);
}

void cgroup_make(const struct cgroup_host *h, const struct cgroup *in, const char *name, struct cgroup *g)
{
        cgroup_init(g);
        for (int p = 0; p < CGROUP_PARTS; p++)
                if (h->versions[p] && in->dirs[p] >= 0 &&
                        (mkdirat(in->dirs[p], name, 0755) == 0 || errno == EEXIST))
                        g->dirs[p] = openat(in->dirs[p], name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int cgroup_remove(const struct cgroup *in, const char *name, struct cgroup *g)
{
        int r = 0;

        for (int p = 0; p < CGROUP_PARTS; p++)
                if (in->dirs[p] >= 0 && unlinkat(in->dirs[p], name, AT_REMOVEDIR) < 0 && errno != ENOENT)
                        r = -errno;
        if (g)
                cgroup_close(g);
        return r;
}

/* Memory and processes must be counted from the first one on, so those two decide. */
bool cgroup_has_birth(const struct cgroup_host *h)
{
        return h->versions[CGROUP_MEMORY] != 1 && h->versions[CGROUP_PIDS] != 1 &&
               h->versions[CGROUP_TIME] != 1;
}

int cgroup_enter_thread(const struct cgroup_host *h, const struct cgroup *g)
{
        for (int p = 0; p < CGROUP_PARTS; p++) {
                int r = g->dirs[p] >= 0 && h->versions[p] == 1 ? cgroup_write_file(g->dirs[p], "tasks", "0")
                                                               : 0;

                if (r)
                        return error_origin(r);
        }
        return 0;
}

int cgroup_birthplace(const struct cgroup_host *h, const struct cgroup *g)
{
        for (int p = 0; p < CGROUP_PARTS; p++)
                if (h->versions[p] == 2 && g->dirs[p] >= 0)
                        return g->dirs[p];
        return -1;
}

bool cgroup_kill(const struct cgroup *g)
{
        int dir = g->dirs[CGROUP_KILL];

        return dir >= 0 && cgroup_write_file(dir, "cgroup.kill", "1") == 0;
}

/* ---- limits ---- */

static int set(int dir, const char *file, uint64_t value, const char *unlimited)
{
        char text[24];

        snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
        return cgroup_write_file(dir, file, value == CGROUP_UNLIMITED ? unlimited : text);
}

/* Numbers of bytes are cut to whole pages, and version 1 knows no unlimited: just a number that no machine
 * has. */
static int check(int dir, const char *file, uint64_t wanted)
{
        uint64_t is, page = (uint64_t)sysconf(_SC_PAGESIZE);
        int r = cgroup_read_number(dir, file, NULL, &is);

        if (r)
                return r;
        if (wanted == CGROUP_UNLIMITED)
                return is >= INT64_MAX / page * page ? 0 : -ERANGE;
        return is == wanted || is == wanted / page * page ? 0 : -ERANGE;
}

static int set_and_check(int dir, const char *file, uint64_t value, const char *unlimited)
{
        int r = set(dir, file, value, unlimited);

        return r ? r : check(dir, file, value);
}

/* The sum may never be below the memory's, so it goes first to become more and last to become less. Without a
 * file for it the kernel counts no swap, or has none. */
static int limit_swap(int dir, const struct dialect *d, uint64_t bytes)
{
        uint64_t value = d->swap_is_sum || bytes == CGROUP_UNLIMITED ? bytes : 0;
        int r = set_and_check(dir, d->swap_limit, value, d->unlimited);

        return r == -ENOENT ? 0 : r;
}

int cgroup_limit_memory(const struct cgroup_host *h, const struct cgroup *g, uint64_t bytes)
{
        const struct dialect *d = dialect_of(h, g, CGROUP_MEMORY);
        int dir = g->dirs[CGROUP_MEMORY], r;

        if (!d)
                return error_origin(-ENOENT);
        limit_swap(dir, d, bytes);
        r = set_and_check(dir, d->memory_limit, bytes, d->unlimited);
        if (!r)
                r = limit_swap(dir, d, bytes);
        return r ? error_origin(r) : 0;
}

int cgroup_limit_pids(const struct cgroup_host *h, const struct cgroup *g, uint64_t n)
{
        (void)h;
        if (g->dirs[CGROUP_PIDS] < 0)
                return error_origin(-ENOENT);
        return error_origin(set_and_check(g->dirs[CGROUP_PIDS], "pids.max", n, "max"));
}

static int set_quota_v1(int dir, uint64_t quota_us)
{
        int r = set_and_check(dir, "cpu.cfs_period_us", PERIOD_US, "");

        return r ? r : set(dir, "cpu.cfs_quota_us", quota_us, "-1");
}

static int set_quota_v2(int dir, uint64_t quota_us)
{
        char text[48];

        if (quota_us == CGROUP_UNLIMITED)
                snprintf(text, sizeof(text), "max %d", PERIOD_US);
        else
                snprintf(text, sizeof(text), "%llu %d", (unsigned long long)quota_us, PERIOD_US);
        return cgroup_write_file(dir, "cpu.max", text);
}

int cgroup_limit_cpu(const struct cgroup_host *h, const struct cgroup *g, uint64_t millionths)
{
        const struct dialect *d = dialect_of(h, g, CGROUP_CPU);
        uint64_t quota = millionths, is;
        int r;

        if (!d)
                return error_origin(-ENOENT);
        if (millionths != CGROUP_UNLIMITED)
                quota = millionths * PERIOD_US / MILLION;
        if (quota < QUOTA_LEAST_US)
                quota = QUOTA_LEAST_US;
        r = d->set_quota(g->dirs[CGROUP_CPU], quota);
        if (!r)
                r = cgroup_read_number(g->dirs[CGROUP_CPU], d->quota, NULL, &is);
        return error_origin(r ? r : is == quota ? 0 : -ERANGE);
}

int cgroup_die_together(const struct cgroup_host *h, const struct cgroup *g)
{
        const struct dialect *d = dialect_of(h, g, CGROUP_MEMORY);

        if (!d || !d->oom_group)
                return -ENOENT;
        return error_origin(cgroup_write_file(g->dirs[CGROUP_MEMORY], d->oom_group, "1"));
}

/* ---- counters ---- */

static uint64_t number(int dir, const char *file, const char *key)
{
        uint64_t n;

        return cgroup_read_number(dir, file, key, &n) ? 0 : n;
}

void cgroup_read(const struct cgroup_host *h, const struct cgroup *g, struct cgroup_usage *u)
{
        const struct dialect *d = dialect_of(h, g, CGROUP_TIME);
        int dir = g->dirs[CGROUP_MEMORY];

        *u = (struct cgroup_usage){0};
        if (d)
                u->cpu_us = number(g->dirs[CGROUP_TIME], d->time, d->time_key) / d->times_a_us;
        d = dialect_of(h, g, CGROUP_MEMORY);
        if (d) {
                u->memory = number(dir, d->memory, NULL);
                u->peak = number(dir, d->peak, NULL);
                u->oom_kills = number(dir, d->oom, "oom_kill");
        }
        if (g->dirs[CGROUP_PIDS] >= 0)
                u->refused_forks = number(g->dirs[CGROUP_PIDS], "pids.events", "max");
}

void cgroup_give_back(const struct cgroup_host *h, const struct cgroup *g)
{
        const struct dialect *d = dialect_of(h, g, CGROUP_MEMORY);

        if (d && d->reclaim)
                cgroup_write_file(g->dirs[CGROUP_MEMORY], d->reclaim, "0");
}

/* The maximum can be set to what is in use now in version 1 only. */
bool cgroup_reset(const struct cgroup_host *h, const struct cgroup *g)
{
        const struct dialect *d = dialect_of(h, g, CGROUP_MEMORY);
        int dir = g->dirs[CGROUP_MEMORY];

        if (!d)
                return true;
        if (!d->reclaim)
                return false;
        if (number(dir, d->memory, NULL) > LEFT_BYTES)
                cgroup_give_back(h, g);
        return cgroup_write_file(dir, d->peak, "0") == 0;
}

int cgroup_watch_memory(const struct cgroup_host *h, const struct cgroup *g)
{
        CLEANUP(cleanup_close) int control = -1;
        CLEANUP(cleanup_close) int event = -1;
        char text[32];
        int r;

        if (h->versions[CGROUP_MEMORY] != 1 || g->dirs[CGROUP_MEMORY] < 0)
                return -ENOENT;
        control = cgroup_open_kills(h, g);
        event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (control < 0 || event < 0)
                return error_origin(-errno);
        snprintf(text, sizeof(text), "%d %d", event, control);
        r = cgroup_write_file(g->dirs[CGROUP_MEMORY], "cgroup.event_control", text);
        return r ? error_origin(r) : TAKE_FD(event);
}

int cgroup_open_kills(const struct cgroup_host *h, const struct cgroup *g)
{
        const struct dialect *d = dialect_of(h, g, CGROUP_MEMORY);

        return d ? openat(g->dirs[CGROUP_MEMORY], d->oom, O_RDONLY | O_CLOEXEC) : -1;
}

uint64_t cgroup_read_kills(int fd)
{
        char text[CGROUP_TEXT];
        ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
        uint64_t kills;

        if (n < 0)
                return 0;
        text[n] = '\0';
        return cgroup_find_number(text, "oom_kill", &kills) ? 0 : kills;
}
