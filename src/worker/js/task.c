/*
 * The table of task types, and the frame around each: within its deadline a task is compiled, run, awaited
 * and its value written; what it throws is described. A type is one row: how its fields are checked and how
 * its value comes about.
 */
#include "worker/js/task.h"

#include "base/clock.h"
#include "wire/cursor.h"
#include "wire/exits.h"
#include "wire/pack.h"
#include "worker/js/arena.h"
#include "worker/js/await.h"
#include "worker/js/compile.h"
#include "worker/js/failure.h"
#include "worker/js/line.h"
#include "worker/js/loads.h"
#include "worker/js/module.h"
#include "worker/js/source.h"
#include "worker/js/value_in.h"
#include "worker/js/value_out.h"
#include "worker/js/world.h"
#include "worker/js/worlds.h"

#include <string.h>
#include <unistd.h>

enum { KEEP_BYTES = 64 * 1024 };

struct task {
        union wire_body body;
        const struct task_type *type;
        struct outcome *out;
        struct wire_refusal why;
        bool refused;
};

struct task_type {
        enum wire_id id;
        /* It asks for more over the channel while it runs, so its bytes cannot stay where they came in. */
        bool asks;
        /* Finds the world to run in; true: what prepare() would make is there already. All three may be NULL.
         */
        bool (*enter)(const union wire_body *body);
        void (*prepare)(duk_context *ctx, const union wire_body *body);
        void (*prepared)(duk_context *ctx, const union wire_body *body);
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
        duk_call(ctx, value_push_elements(ctx, t->args));
}

static bool enter_module(const union wire_body *body)
{
        return module_enter(&body->execute_module);
}

static void load_module(duk_context *ctx, const union wire_body *body)
{
        module_load(ctx, &body->execute_module);
}

static void keep_module(duk_context *ctx, const union wire_body *body)
{
        module_keep(ctx, &body->execute_module);
}

static void call_module(duk_context *ctx, const union wire_body *body)
{
        module_call(ctx, &body->execute_module);
}

static const struct task_type types[] = {
        {.id = WIRE_ID_execute_code, .run = run_code},
        {.id = WIRE_ID_execute_function, .check = check_function, .run = run_function},
        {.id = WIRE_ID_execute_module,
                .asks = true,
                .enter = enter_module,
                .prepare = load_module,
                .prepared = keep_module,
                .run = call_module},
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

static duk_ret_t prepare_body(duk_context *ctx, void *udata)
{
        struct task *t = udata;

        t->type->prepare(ctx, &t->body);
        return 0;
}

/* False: it failed, and the outcome says how. Nothing is left on the stack. */
static bool protect(duk_context *ctx, struct task *t, duk_safe_call_function body)
{
        bool threw = duk_safe_call(ctx, body, t, 0, 1) != DUK_EXEC_SUCCESS;

        if (!threw) {
                duk_pop(ctx);
                return true;
        }
        if (!arena_denied())
                failure_describe(ctx, source_is_compiling() ? WIRE_SYNTAX_ERROR : WIRE_TASK_ERROR, t->out);
        /* Asked again: the description may be what had no room. */
        if (arena_denied())
                outcome_fail(t->out, WIRE_OUT_OF_MEMORY, "the task needed more than its memory limit");
        return false;
}

static bool prepare_world(duk_context *ctx, struct task *t)
{
        if (!t->type->enter) {
                worlds_enter(NULL);
                return true;
        }
        if (t->type->enter(&t->body))
                return true;
        if (!protect(ctx, t, prepare_body))
                return false;
        t->type->prepared(ctx, &t->body);
        return true;
}

static void run_in_world(duk_context *ctx, struct task *t)
{
        struct wire_refusal why;

        if (prepare_world(ctx, t) && protect(ctx, t, run_body) && t->refused)
                outcome_fail(t->out, t->why.code, "%s", t->why.message);
        /* Whatever the task made of it. */
        if (loads_failed(&why))
                outcome_fail(t->out, why.code, "%s", why.message);
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

/* The bytes of the task that runs, if it asks: what came in is let go when more comes. */
static struct buf kept;

static struct bytes keep_bytes(struct bytes map)
{
        const struct wire_message *m;
        const struct task_type *type;
        struct bytes name;

        m = wire_lookup_str(map, "type", &name) ? wire_task_find(name) : NULL;
        type = find_type(m);
        if (!type || !type->asks)
                return map;
        if (buf_append(&kept, map.data, map.len) < 0)
                _exit(WORKER_EXIT_MEMORY);
        line_forget();
        return buf_bytes(&kept);
}

void task_forget(void)
{
        if (kept.len)
                memset(kept.data, 0, kept.len);
        kept.len = 0;
        buf_shrink(&kept, KEEP_BYTES);
        compile_forget();
        loads_forget();
}

void task_run(struct bytes map, const struct deadline_limits *limits, struct outcome *out)
{
        int64_t cpu = clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
        struct task t = {.out = out};

        source_begin();
        loads_begin();
        if (open_task(&t, keep_bytes(map)))
                outcome_fail(out, t.why.code, "%s", t.why.message);
        else
                run_within_limits(&t, limits);
        out->cpu_us = (uint64_t)((clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - cpu) / NS_PER_US);
        out->peak_bytes = arena_peak();
}
