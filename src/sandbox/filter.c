/* From syscalls.def to a program for the kernel. libseccomp does the BPF, on the way through a memory file.
 */
#include "sandbox/filter.h"
#include "sandbox/conditions.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

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

static int set_attributes(scmp_filter_ctx ctx)
{
        /* KILL alone would end only the thread. */
        int r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

        /* A tree instead of a list: the kernel walks it for every call there is when a child loads it. */
        return r ? r : seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
}

static int add_rules(scmp_filter_ctx ctx, enum profile profile, bool starts)
{
        int r = set_attributes(ctx);

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

int filter_build_list(struct filter *f, const struct filter_call *calls, size_t n, enum filter_action rest)
{
        scmp_filter_ctx ctx = seccomp_init(kernel_actions[rest]);
        int r;

        *f = (struct filter){0};
        if (!ctx)
                return error_origin(-ENOMEM);
        r = set_attributes(ctx);
        for (size_t i = 0; !r && i < n; i++)
                r = calls[i].action == FILTER_ALLOW ? seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i].number, 0)
                                                    : add_conditions(ctx, calls[i].number, calls[i].action);
        return finish(f, ctx, r);
}

int filter_build_refusing(struct filter *f, const int *calls, size_t n)
{
        scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
        int r;

        *f = (struct filter){0};
        if (!ctx)
                return error_origin(-ENOMEM);
        r = set_attributes(ctx);
        for (size_t i = 0; !r && i < n; i++)
                r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), calls[i], 0);
        return finish(f, ctx, r);
}

void filter_fini(struct filter *f)
{
        free(f->code);
        *f = (struct filter){0};
}

int filter_load(const struct filter *f)
{
        struct sock_fprog program = {.len = f->len, .filter = f->code};

        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
                return error_origin(-errno);
        return 0;
}
