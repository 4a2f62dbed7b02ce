/* Starting, stopping, and the account of it. */
#include "worker/shell/run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/utf8.h"
#include "worker/shell/files.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

/* How long a tree's init may take to end it in its own way, which counts what was used. */
#define STOP_GRACE (200 * NS_PER_MS)
/* Least time between two looks at the CPU time of a tree. */
#define CPU_LOOK (10 * NS_PER_MS)

enum { NOT_RUN = 126, NOT_FOUND = 127 };

void run_init(struct run *r)
{
        *r = (struct run){.tree = {.disk = -1, .pidfd = -1, .line = -1}};
        for (int i = 0; i < RUN_STREAMS; i++)
                capture_init(&r->streams[i]);
}

static void run_fini(struct run *r)
{
        jail_tree_close(&r->tree);
        for (int i = 0; i < RUN_STREAMS; i++)
                capture_reset(&r->streams[i]);
        strings_fini(&r->collect);
        r->active = false;
}

/* ---- start ---- */

static int launch(struct run *r, struct request *q, size_t max_output, struct wire_refusal *why)
{
        struct jail_command c = {.argv = q->argv.items,
                .envp = q->envp.items,
                .file = q->file,
                .cwd = q->cwd,
                .fds = {-1, -1, -1},
                .n_fds = 3};
        int e = request_stdin(q, &c.fds[0], why);

        if (!e)
                e = capture_open(&r->streams[RUN_STDOUT], max_output, &c.fds[1]);
        if (!e)
                e = capture_open(&r->streams[RUN_STDERR], max_output, &c.fds[2]);
        if (e < 0)
                snprintf(r->tree.jail->fault, sizeof(r->tree.jail->fault), "its descriptors: %s",
                        error_text(e));
        if (!e)
                e = jail_tree_start(&r->tree, &c);
        for (int i = 0; i < c.n_fds; i++)
                cleanup_close(&c.fds[i]);
        return e;
}

int run_start(struct run *r, struct jail *j, struct request *q, size_t max_output, struct wire_refusal *why)
{
        int e = jail_tree_open(j, &r->tree);

        if (e)
                return e;
        e = request_furnish(q, &r->tree, why);
        if (e < 0)
                snprintf(j->fault, sizeof(j->fault), "its files: %s", error_text(e));
        if (!e)
                e = launch(r, q, max_output, why);
        if (e) {
                run_fini(r);
                return e;
        }
        snprintf(r->name, sizeof(r->name), "%s", q->script ? "the command" : q->argv.items[0]);
        utf8_repair(r->name);
        r->encoding = q->encoding;
        r->collect = q->collect;
        q->collect = (struct strings){0};
        r->stopped = WIRE_OK;
        r->kill_at = INT64_MAX;
        r->cpu_at = 0;
        r->active = true;
        return 0;
}

/* ---- stop ---- */

void run_stop(struct run *r, enum wire_code reason)
{
        if (r->stopped != WIRE_OK)
                return;
        r->stopped = reason;
        r->kill_at = clock_now() + STOP_GRACE;
        jail_tree_stop(&r->tree);
}

/* What is left cannot be used faster than by all processors. */
static void check_cpu(struct run *r, int64_t now)
{
        uint64_t used = jail_tree_cpu_us(&r->tree);
        int64_t least;

        if (used >= r->max_cpu_us)
                return run_stop(r, WIRE_CPU_LIMIT);
        least = (int64_t)(r->max_cpu_us - used) * NS_PER_US / get_nprocs();
        r->cpu_at = now + (least > CPU_LOOK ? least : CPU_LOOK);
}

static int64_t earlier(int64_t a, int64_t b)
{
        return a < b ? a : b;
}

int64_t run_tick(struct run *r, int64_t now)
{
        if (r->max_cpu_us && now >= r->cpu_at)
                check_cpu(r, now);
        if (now >= r->deadline)
                run_stop(r, WIRE_TIMEOUT);
        if (now >= r->kill_at) {
                jail_tree_kill(&r->tree);
                r->kill_at = INT64_MAX;
        }
        if (r->stopped != WIRE_OK)
                return r->kill_at;
        return r->max_cpu_us ? earlier(r->deadline, r->cpu_at) : r->deadline;
}

/* ---- what it comes to ---- */

/* As a shell has it for what it could not run. */
static int exit_code(const struct jail_end *end)
{
        if (end->how == JAIL_NOT_FOUND)
                return end->error == -ENOENT ? NOT_FOUND : NOT_RUN;
        return end->how == JAIL_RAN && WIFEXITED(end->status) ? WEXITSTATUS(end->status) : -1;
}

static int signal_of(const struct jail_end *end)
{
        if (end->how == JAIL_UNKNOWN)
                return SIGKILL;
        return end->how == JAIL_RAN && WIFSIGNALED(end->status) ? WTERMSIG(end->status) : 0;
}

static void pack_signal(struct pack *p, int number)
{
        const char *name = sigabbrev_np(number);
        char text[16];

        if (!number)
                return pack_nil(p);
        if (name)
                snprintf(text, sizeof(text), "SIG%s", name);
        else
                snprintf(text, sizeof(text), "SIG%d", number);
        pack_text(p, text);
}

static int write_value(
        const struct run *r, const struct jail_end *end, struct buf *out, struct wire_refusal *why)
{
        static const char *const names[RUN_STREAMS] = {[RUN_STDOUT] = "stdout", [RUN_STDERR] = "stderr"};
        int code = exit_code(end), e = 0;
        struct pack p;

        pack_init(&p, out);
        pack_map(&p, 5u + (r->collect.n > 0));
        pack_text(&p, "exitCode");
        if (code >= 0)
                pack_int(&p, code);
        else
                pack_nil(&p);
        pack_text(&p, "signal");
        pack_signal(&p, signal_of(end));
        for (int i = 0; i < RUN_STREAMS; i++) {
                pack_text(&p, names[i]);
                encode_value(&p, r->encoding, buf_bytes(&r->streams[i].kept));
        }
        pack_entry_bool(&p, "truncated", r->streams[RUN_STDOUT].cut || r->streams[RUN_STDERR].cut);
        if (r->collect.n > 0 && !p.error) {
                pack_text(&p, "files");
                e = files_collect(&r->tree, &r->collect, r->encoding, &p, why);
        }
        return e ? e : p.error;
}

static void judge_stopped(const struct run *r, struct outcome *out)
{
        if (r->stopped == WIRE_TIMEOUT)
                outcome_fail(out, WIRE_TIMEOUT, "the attempt ran longer than its timeout of %llu ms",
                        (unsigned long long)r->timeout_ms);
        else if (r->stopped == WIRE_CPU_LIMIT)
                outcome_fail(out, WIRE_CPU_LIMIT,
                        "%s and its processes used more than the %llu ms of CPU time that they may (maxCpuTime)", r->name,
                        (unsigned long long)(r->max_cpu_us / 1000));
        else
                outcome_fail(out, r->stopped, "the task was cancelled");
}

/* The kernel does not say which one it was; there are few that end a command. */
static void judge_denied(const struct run *r, struct outcome *out)
{
        char calls[200] = "";

        for (size_t i = 0; i < filter_n_rules; i++)
                if (filter_rules[i].action[PROFILE_SHELL] == FILTER_KILL)
                        snprintf(calls + strlen(calls), sizeof(calls) - strlen(calls), "%s%s",
                                *calls ? ", " : "", filter_rules[i].name);
        outcome_fail(out, WIRE_SYSCALL_DENIED,
                "%s made a system call that its sandbox forbids: one of %s, or any of another architecture",
                r->name, calls);
}

static void judge_signal(const struct run *r, int number, struct outcome *out)
{
        const char *name = sigabbrev_np(number);

        if (number == SIGSYS)
                judge_denied(r, out);
        else if (number == SIGXCPU)
                outcome_fail(out, WIRE_CPU_LIMIT, "%s used more CPU time than it may", r->name);
        else
                outcome_fail(out, WIRE_EXIT_STATUS, "%s was ended by SIG%s", r->name, name ? name : "?");
}

/* Whose limit it was: the tree's own, or one above it. */
static void judge_memory(const struct run *r, const struct jail_end *end, struct outcome *out)
{
        unsigned long long peak = end->peak_bytes;

        if (end->full)
                outcome_fail(out, WIRE_OUT_OF_MEMORY,
                        "%s and its processes needed more than the %llu bytes of memory that they may have together "
                        "(maxTreeMemoryBytes); %llu were in use",
                        r->name, (unsigned long long)r->tree.jail->spec.tree_memory_bytes, peak);
        else
                outcome_fail(out, WIRE_OUT_OF_MEMORY,
                        "%s was killed with %llu bytes in use, since the machine had no more memory", r->name, peak);
}

static void judge(const struct run *r, const struct jail_end *end, struct outcome *out)
{
        if (r->stopped != WIRE_OK)
                return judge_stopped(r, out);
        if (end->out_of_memory)
                return judge_memory(r, end, out);
        if (end->how == JAIL_NOT_STARTED)
                outcome_fail(out, WIRE_WORKER_CRASHED, "%s could not be started: %s: %s", r->name, end->what,
                        error_text(end->error));
        else if (end->how == JAIL_UNKNOWN)
                outcome_fail(out, WIRE_WORKER_CRASHED,
                        "%s was killed with all around it, nobody here knows by whom", r->name);
        else if (end->how == JAIL_NOT_FOUND)
                outcome_fail(out, WIRE_EXIT_STATUS, "%s cannot be run: %s", r->name, error_text(end->error));
        else if (WIFSIGNALED(end->status))
                judge_signal(r, WTERMSIG(end->status), out);
        else if (WEXITSTATUS(end->status))
                outcome_fail(
                        out, WIRE_EXIT_STATUS, "%s ended with status %d", r->name, WEXITSTATUS(end->status));
}

/* What was written stays with a failure as well, unless it is the writing that failed. */
static void write_outcome(struct run *r, const struct jail_end *end, struct outcome *out)
{
        struct wire_refusal why;
        int e;

        judge(r, end, out);
        e = write_value(r, end, &out->value, &why);
        if (e > 0) {
                outcome_fail(out, why.code, "%s", why.message);
                strings_fini(&r->collect);
                e = write_value(r, end, &out->value, &why);
        }
        if (e == -ENOBUFS)
                outcome_fail(
                        out, WIRE_RESULT_TOO_LARGE, "what %s wrote is more than a result may hold", r->name);
        else if (e)
                outcome_fail(out, WIRE_WORKER_CRASHED, "what %s left behind could not be read: %s", r->name,
                        error_text(e));
}

void run_finish(struct run *r, struct outcome *out)
{
        struct jail_end end;

        jail_tree_wait(&r->tree, &end);
        for (int i = 0; i < RUN_STREAMS; i++)
                capture_end(&r->streams[i]);
        outcome_reset(out);
        write_outcome(r, &end, out);
        out->truncated = r->streams[RUN_STDOUT].cut || r->streams[RUN_STDERR].cut;
        out->cpu_us = end.cpu_us;
        out->peak_bytes = end.peak_bytes;
        run_fini(r);
}
