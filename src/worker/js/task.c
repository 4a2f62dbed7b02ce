/*
 * The table of task types, and the frame around each: within its deadline a task is compiled, run, awaited
 * and its value written; what it throws is described. A type is one row: how its fields are checked and how
 * its value comes about.
 */
#include "worker/js/task.h"

#include "base/clock.h"
#include "wire/cursor.h"
#include "wire/pack.h"
#include "worker/js/arena.h"
#include "worker/js/await.h"
#include "worker/js/failure.h"
#include "worker/js/source.h"
#include "worker/js/value_in.h"
#include "worker/js/value_out.h"
#include "worker/js/world.h"

struct task {
        union wire_body body;
        const struct task_type *type;
        struct outcome *out;
        struct wire_refusal why;
        bool refused;
};

struct task_type {
        enum wire_id id;
        /* Checks what the descriptor cannot. Positive: refused. May be NULL. */
        int (*check)(const union wire_body *body, struct wire_refusal *why);
        /* Leaves the result on top of the stack, or throws. */
        void (*run)(duk_context *ctx, const union wire_body *body);
};

static void run_code(duk_context *ctx, const union wire_body *body)
{
        const struct wire_execute_code *t = &body->execute_code;
        struct cursor context = cursor_over(t->context);

        if (WIRE_HAS(t, execute_code, context)) {
                duk_push_global_object(ctx);
                value_define_entries(ctx, -1, &context);
                duk_pop(ctx);
        }
        source_push_program(ctx, t->code);
        duk_push_global_object(ctx);
        duk_call_method(ctx, 0);
}

static int check_function(const union wire_body *body, struct wire_refusal *why)
{
        const struct wire_execute_function *t = &body->execute_function;

        if (WIRE_HAS(t, execute_function, fn) + WIRE_HAS(t, execute_function, code) == 1)
                return 0;
        return wire_refuse(why, WIRE_INVALID_TASK, "execute-function needs exactly one of fn and code");
}

static duk_idx_t push_arguments(duk_context *ctx, struct bytes args)
{
        struct cursor c = cursor_over(args);
        struct wire_value head;

        if (!args.len || cursor_read(&c, &head))
                return 0;
        duk_require_stack(ctx, (duk_idx_t)head.count + 1);
        for (uint32_t i = 0; i < head.count; i++)
                value_push(ctx, &c);
        return (duk_idx_t)head.count;
}

/* A body may return the function, or be content with a value. */
static void run_function(duk_context *ctx, const union wire_body *body)
{
        const struct wire_execute_function *t = &body->execute_function;

        if (WIRE_HAS(t, execute_function, fn)) {
                source_push_function(ctx, t->fn);
        } else {
                source_push_body(ctx, t->code);
                duk_call(ctx, 0);
                if (!duk_is_callable(ctx, -1))
                        return;
        }
        duk_call(ctx, push_arguments(ctx, t->args));
}

static const struct task_type types[] = {
        {WIRE_ID_execute_code, NULL, run_code},
        {WIRE_ID_execute_function, check_function, run_function},
};

/* ---- within the deadline ---- */

static duk_ret_t run_body(duk_context *ctx, void *udata)
{
        struct task *t = udata;
        struct pack p;

        t->type->run(ctx, &t->body);
        await_settled(ctx);
        pack_init(&p, &t->out->value);
        t->refused = value_write(ctx, -1, &p, &t->why) != 0;
        return 0;
}

static void run_in_world(duk_context *ctx, struct task *t)
{
        bool threw = duk_safe_call(ctx, run_body, t, 0, 1) != DUK_EXEC_SUCCESS;

        if (threw && !arena_denied())
                failure_describe(ctx, source_is_compiling() ? WIRE_SYNTAX_ERROR : WIRE_TASK_ERROR, t->out);
        /* Asked again: the description may be what had no room. */
        if (threw && arena_denied())
                outcome_fail(t->out, WIRE_OUT_OF_MEMORY, "the task needed more than its memory limit");
        else if (t->refused)
                outcome_fail(t->out, t->why.code, "%s", t->why.message);
}

static void fail_by_limit(struct outcome *out, enum wire_code why, const struct deadline_limits *l)
{
        if (why == WIRE_TIMEOUT)
                outcome_fail(out, why, "the attempt ran longer than its timeout of %llu ms",
                        (unsigned long long)l->timeout_ms);
        else if (why == WIRE_CPU_LIMIT)
                outcome_fail(out, why, "the task used more than its %llu ms of CPU time",
                        (unsigned long long)l->max_cpu_ms);
        else
                outcome_fail(out, why, "the task was cancelled");
}

static void run_within_limits(struct task *t, const struct deadline_limits *limits)
{
        sigjmp_buf landing;

        if (deadline_set(landing)) {
                fail_by_limit(t->out, deadline_land(), limits);
                return;
        }
        deadline_begin(&landing, limits);
        run_in_world(world_context(), t);
        deadline_end();
}

/* ---- before it ---- */

static const struct task_type *find_type(const struct wire_message *m)
{
        for (size_t i = 0; m && i < sizeof(types) / sizeof(types[0]); i++)
                if (wire_message_id(m) == types[i].id)
                        return &types[i];
        return NULL;
}

/* Positive: refused. */
static int open_task(struct task *t, struct bytes map)
{
        struct bytes name;
        const struct wire_message *m;
        int r;

        if (!wire_lookup_str(map, "type", &name))
                return wire_refuse(&t->why, WIRE_INVALID_TASK, "the task has no type");
        m = wire_task_find(name);
        t->type = find_type(m);
        if (!t->type)
                return wire_refuse(&t->why, WIRE_UNKNOWN_TYPE, "this worker runs no task of type %.*s",
                        name.len < 64 ? (int)name.len : 64, (const char *)name.data);
        r = wire_decode(m, map, &t->body, &t->why);
        if (!r && t->type->check)
                r = t->type->check(&t->body, &t->why);
        return r;
}

void task_run(struct bytes map, const struct deadline_limits *limits, struct outcome *out)
{
        int64_t cpu = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
        struct task t = {.out = out};

        source_begin();
        if (open_task(&t, map))
                outcome_fail(out, t.why.code, "%s", t.why.message);
        else
                run_within_limits(&t, limits);
        out->cpu_us = (uint64_t)((clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - cpu) / NS_PER_US);
        out->peak_bytes = arena_peak();
}
