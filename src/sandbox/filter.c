/* From syscalls.def to a program for the kernel. libseccomp does the BPF, on the way through a memory file.
 */
#include "sandbox/filter.h"
#include "sandbox/conditions.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* The kernel has some 470 calls. */
enum { NUMBERS = 512, X32_BIT = 0x40000000 };

const struct filter_rule filter_rules[] = {
#define SYSCALL(call, js, http, shell, more, why)                                                            \
        {.name = #call,                                                                                      \
                .reason = why,                                                                               \
                .number = SCMP_SYS(call),                                                                    \
                .start = FILTER_##more,                                                                      \
                .action = {[PROFILE_JS] = FILTER_##js,                                                       \
                        [PROFILE_HTTP] = FILTER_##http,                                                      \
                        [PROFILE_SHELL] = FILTER_##shell}},
#include "sandbox/syscalls.def"
};
const size_t filter_n_rules = sizeof(filter_rules) / sizeof(filter_rules[0]);

static const uint32_t kernel_actions[FILTER_ACTIONS] = {
        [FILTER_ALLOW] = SCMP_ACT_ALLOW,
        [FILTER_REFUSE] = SCMP_ACT_ERRNO(EACCES),
        [FILTER_ABSENT] = SCMP_ACT_ERRNO(ENOSYS),
        [FILTER_KILL] = SCMP_ACT_KILL_PROCESS,
};

/* A command takes no for an answer, and there are calls that nobody thought of; a worker of ours makes none
 * such. */
enum filter_action filter_rest(enum profile profile)
{
        return profile == PROFILE_SHELL ? FILTER_ABSENT : FILTER_KILL;
}

enum filter_action filter_answer(const struct filter_rule *rule, enum profile profile, bool starts)
{
        return starts && rule->start < rule->action[profile] ? rule->start : rule->action[profile];
}

static int add_conditions(scmp_filter_ctx ctx, int number, enum filter_action action)
{
        int r = 0;

        for (size_t i = 0; !r && i < filter_n_conditions; i++) {
                const struct filter_condition *c = &filter_conditions[i];

                if (c->action == action)
                        r = seccomp_rule_add_array(
                                ctx, kernel_actions[c->answer], number, c->n_tests, c->tests);
        }
        return r;
}

/* Without a condition that holds, a call that has some gets the rest's answer: that must be no milder. */
static int add_rule(scmp_filter_ctx ctx, const struct filter_rule *rule, enum filter_action answer,
        enum filter_action rest)
{
        if (answer > FILTER_ALLOW && answer < FILTER_REFUSE)
                return add_conditions(ctx, rule->number, answer);
        if (kernel_actions[answer] == kernel_actions[rest])
                return 0;
        return seccomp_rule_add(ctx, kernel_actions[answer], rule->number, 0);
}

/* other_entries: what the ways into the kernel of other architectures come to. */
static int set_attributes(scmp_filter_ctx ctx, uint32_t other_entries)
{
        int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, other_entries);

        /* A tree instead of a list: the kernel walks it for every call there is when a child loads it. */
        return r ? r : seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
}

static int add_rules(scmp_filter_ctx ctx, enum profile profile, bool starts)
{
        /* KILL alone would end only the thread. */
        int r = set_attributes(ctx, SCMP_ACT_KILL_PROCESS);

        for (size_t i = 0; !r && i < filter_n_rules; i++)
                r = add_rule(ctx, &filter_rules[i], filter_answer(&filter_rules[i], profile, starts),
                        filter_rest(profile));
        return error_origin(r);
}

static int read_program(struct filter *f, int fd)
{
        struct stat st;
        size_t size;

        if (fstat(fd, &st) < 0)
                return error_origin(-errno);
        size = (size_t)st.st_size;
        if (!size || size / sizeof(*f->code) > BPF_MAXINSNS || size % sizeof(*f->code))
                return error_origin(-EINVAL);
        f->code = malloc(size);
        if (!f->code)
                return error_origin(-ENOMEM);
        f->len = (unsigned short)(size / sizeof(*f->code));
        if (pread(fd, f->code, size, 0) != (ssize_t)size) {
                filter_fini(f);
                return error_origin(-EIO);
        }
        return 0;
}

static int export_program(struct filter *f, scmp_filter_ctx ctx)
{
        CLEANUP(cleanup_close) int fd = memfd_create("filter", MFD_CLOEXEC);
        int r;

        if (fd < 0)
                return error_origin(-errno);
        r = seccomp_export_bpf(ctx, fd);
        return r < 0 ? error_origin(r) : read_program(f, fd);
}

int filter_build(struct filter *f, enum profile profile, bool starts)
{
        scmp_filter_ctx ctx = seccomp_init(kernel_actions[filter_rest(profile)]);
        int r;

        *f = (struct filter){0};
        if (!ctx)
                return error_origin(-ENOMEM);
        r = add_rules(ctx, profile, starts);
        if (!r)
                r = export_program(f, ctx);
        f->profile = profile;
        f->starts = starts;
        seccomp_release(ctx);
        return r;
}

static int finish(struct filter *f, scmp_filter_ctx ctx, int r)
{
        r = error_origin(r);
        if (!r)
                r = export_program(f, ctx);
        seccomp_release(ctx);
        return r;
}

static int add_call(scmp_filter_ctx ctx, const struct filter_call *call)
{
        int number = seccomp_syscall_resolve_name(call->name);

        if (number == __NR_SCMP_ERROR)
                return -EINVAL;
        if (number < 0)
                return 0;
        return call->action == FILTER_ALLOW ? seccomp_rule_add(ctx, SCMP_ACT_ALLOW, number, 0)
                                            : add_conditions(ctx, number, call->action);
}

int filter_build_list(struct filter *f, const struct filter_call *calls, size_t n, enum filter_action rest)
{
        scmp_filter_ctx ctx = seccomp_init(kernel_actions[rest]);
        int r;

        *f = (struct filter){0};
        if (!ctx)
                return error_origin(-ENOMEM);
        r = set_attributes(ctx, SCMP_ACT_KILL_PROCESS);
        for (size_t i = 0; !r && i < n; i++)
                r = add_call(ctx, &calls[i]);
        return finish(f, ctx, r);
}

/* TRACE is ENOSYS where nobody traces, and of several filters' answers the strictest counts: to ask (filter_instead) is
 * stricter than that, and less strict than an error. */
int filter_build_refusing(struct filter *f, const int *calls, size_t n, bool for_good)
{
        const uint32_t answer = for_good ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_TRACE(0);
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
        int r;

        *f = (struct filter){0};
        if (!ctx)
                return error_origin(-ENOMEM);
        r = set_attributes(ctx, for_good ? SCMP_ACT_KILL_PROCESS : answer);
        for (size_t i = 0; !r && i < n; i++)
                r = seccomp_rule_add(ctx, answer, calls[i], 0);
        return finish(f, ctx, r);
}

void filter_fini(struct filter *f)
{
        free(f->code);
        *f = (struct filter){0};
}

/* ---- what becomes of the others ---- */

static void put_instead(struct filter *f, uint32_t answer, bool of_refusals)
{
        for (unsigned short i = 0; i < f->len; i++) {
                struct sock_filter *at = &f->code[i];
                bool ends = at->k == SECCOMP_RET_KILL_PROCESS || at->k == SECCOMP_RET_TRAP;
                bool refuses = (at->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;

                if (at->code == (BPF_RET | BPF_K) && (ends || (refuses && of_refusals)))
                        at->k = answer;
        }
}

void filter_instead(struct filter *f, enum filter_instead instead)
{
        f->asks = instead != FILTER_TRAPS;
        put_instead(f, f->asks ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_TRAP, instead == FILTER_LEARNS);
}

static bool holds(const struct scmp_arg_cmp *test, const struct seccomp_data *call)
{
        return (call->args[test->arg] & test->datum_a) == test->datum_b;
}

static enum filter_action by_arguments(
        enum filter_action action, const struct seccomp_data *call, enum filter_action rest)
{
        for (size_t i = 0; i < filter_n_conditions; i++) {
                const struct filter_condition *c = &filter_conditions[i];
                unsigned int n = 0;

                while (c->action == action && n < c->n_tests && holds(&c->tests[n], call))
                        n++;
                if (c->action == action && n == c->n_tests)
                        return c->answer;
        }
        return rest;
}

static const struct filter_rule *rule_of(int number)
{
        for (size_t i = 0; number >= 0 && i < filter_n_rules; i++)
                if (filter_rules[i].number == number)
                        return &filter_rules[i];
        return NULL;
}

static bool is_own_entry(uint32_t arch, int number)
{
        return arch == seccomp_arch_native() && !(number & X32_BIT);
}

enum filter_action filter_verdict(enum profile profile, bool starts, const struct seccomp_data *call)
{
        const struct filter_rule *rule = rule_of(call->nr);
        enum filter_action rest = filter_rest(profile),
                           action = rule ? filter_answer(rule, profile, starts) : rest;

        if (!is_own_entry(call->arch, call->nr))
                return FILTER_KILL;
        return action > FILTER_ALLOW && action < FILTER_REFUSE ? by_arguments(action, call, rest) : action;
}

/* ---- names ---- */

static char names[NUMBERS][FILTER_CALL_NAME];

void filter_prepare_names(void)
{
        for (int i = 0; i < NUMBERS; i++) {
                char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, i);

                if (name)
                        snprintf(names[i], sizeof(names[i]), "%s", name);
                free(name);
        }
}

/* No snprintf() here: a signal handler calls this. */
static void append(char name[static FILTER_CALL_NAME], const char *text)
{
        size_t len = strlen(name), room = FILTER_CALL_NAME - 1 - len, n = strlen(text);

        memcpy(name + len, text, n < room ? n : room);
        name[len + (n < room ? n : room)] = '\0';
}

static void append_number(char name[static FILTER_CALL_NAME], unsigned int number)
{
        char digits[12] = "", *at = digits + sizeof(digits) - 1;

        do
                *--at = (char)('0' + number % 10);
        while (number /= 10);
        append(name, at);
}

void filter_name_call(uint32_t arch, int number, char name[static FILTER_CALL_NAME])
{
        const struct filter_rule *rule = rule_of(number);

        name[0] = '\0';
        if (is_own_entry(arch, number) && rule)
                return append(name, rule->name);
        if (is_own_entry(arch, number) && number >= 0 && number < NUMBERS && *names[number])
                return append(name, names[number]);
        append(name, "number ");
        append_number(name, (unsigned int)(number & ~X32_BIT));
        if (!is_own_entry(arch, number))
                append(name, arch == seccomp_arch_native() ? " of x32" : " of another architecture");
}

/* ---- into the kernel ---- */

static int load(const struct filter *f, unsigned int flags)
{
        struct sock_fprog program = {.len = f->len, .filter = f->code};
        long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);

        return r < 0 ? error_origin(-errno) : (int)r;
}

int filter_load(const struct filter *f)
{
        return load(f, 0);
}

int filter_load_listening(const struct filter *f)
{
        return load(f, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}
