/* The tables of types and classes. A new built-in type is a row here, a TASK in messages.def, and a handler in its class. */
#include "master/task_types.h"

#include "wire/cursor.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const struct class_traits class_traits[KINDS] = {
        [KIND_JS] = {.signalled = true, .beats = true, .least = ISOLATION_HEAP},
        [KIND_COMPILE] = {.signalled = true, .beats = true, .least = ISOLATION_HEAP},
        /* A connection that is kept open, a private directory, a handler's own state: none of them crosses projects. */
        [KIND_HTTP] = {.beats = true, .configured = true, .least = ISOLATION_PROJECT},
        [KIND_SHELL] = {.beats = true, .configured = true, .least = ISOLATION_PROJECT},
        [KIND_PROGRAM] = {.configured = true, .least = ISOLATION_PROJECT},
        [KIND_PLUGIN] = {.beats = true, .configured = true, .least = ISOLATION_PROJECT},
};

static int either(bool one, bool other, const char *text, struct wire_refusal *why)
{
        return one != other ? 0 : wire_refuse(why, WIRE_INVALID_TASK, "%s", text);
}

static int validate_function(const union wire_body *body, struct wire_refusal *why)
{
        const struct wire_execute_function *f = &body->execute_function;

        return either(WIRE_HAS(f, execute_function, fn), WIRE_HAS(f, execute_function, code),
                "execute-function needs either fn or code", why);
}

static int validate_command(const union wire_body *body, struct wire_refusal *why)
{
        const struct wire_shell_command *c = &body->shell_command;

        return either(WIRE_HAS(c, shell_command, argv), WIRE_HAS(c, shell_command, command),
                "shell-command needs either argv or command", why);
}

static const struct task_type built_in[] = {
        {"execute-code", WIRE_MESSAGE(execute_code), CLASS_JS, KIND_JS},
        {"execute-function", WIRE_MESSAGE(execute_function), CLASS_JS, KIND_JS, .validate = validate_function},
        {"execute-module", WIRE_MESSAGE(execute_module), CLASS_JS, KIND_JS},
        {"http-request", WIRE_MESSAGE(http_request), CLASS_HTTP, KIND_HTTP},
        {"shell-command", WIRE_MESSAGE(shell_command), CLASS_SHELL, KIND_SHELL, .validate = validate_command},
};

/* ---- classes ---- */

const char *class_kind_name(enum class_kind kind)
{
        static const char *const names[KINDS] = {"js", "compile", "http", "shell", "program", "plugin"};

        return names[kind];
}

const struct task_type *task_types_handler(const struct task_types *types, enum task_class class)
{
        return class < CLASS_HANDLERS ? NULL : &types->handlers[class - CLASS_HANDLERS];
}

enum class_kind task_types_kind(const struct task_types *types, enum task_class class)
{
        static const enum class_kind kinds[CLASS_HANDLERS] = {
                [CLASS_JS] = KIND_JS, [CLASS_COMPILE] = KIND_COMPILE, [CLASS_HTTP] = KIND_HTTP, [CLASS_SHELL] = KIND_SHELL};
        const struct task_type *handler = task_types_handler(types, class);

        return handler ? (enum class_kind)handler->kind : kinds[class];
}

const char *task_types_class_name(const struct task_types *types, enum task_class class)
{
        const struct task_type *handler = task_types_handler(types, class);

        return handler ? handler->name : class_kind_name(task_types_kind(types, class));
}

/* ---- handlers ---- */

static struct task_type *find_handler(const struct task_types *types, const char *name, size_t len)
{
        for (unsigned int i = 0; i < types->n_handlers; i++) {
                const struct task_type *t = &types->handlers[i];

                if (strlen(t->name) == len && !memcmp(t->name, name, len))
                        return (struct task_type *)t;
        }
        return NULL;
}

static enum class_kind kind_of(const struct config_task_type *entry)
{
        return entry->plugin ? KIND_PLUGIN : KIND_PROGRAM;
}

static int check_handlers(const struct task_types *types, const struct config *c, char *why, size_t size)
{
        unsigned int n = types->n_handlers;

        for (const struct config_task_type *entry = NULL; (entry = config_handler_next(c, entry));) {
                const struct task_type *known = find_handler(types, entry->name, strlen(entry->name));

                if (known && known->kind != kind_of(entry))
                        return snprintf(why, size, "%s was a %s: what it is needs a restart", entry->name,
                                class_kind_name((enum class_kind)known->kind));
                n += !known;
        }
        if (n > HANDLERS_MAX)
                return snprintf(why, size, "more than %d handlers since the start: that needs a restart", HANDLERS_MAX);
        return 0;
}

static void add_handler(struct task_types *types, const struct config_task_type *entry)
{
        unsigned int at = types->n_handlers++;

        types->handlers[at] = (struct task_type){.class = (uint8_t)(CLASS_HANDLERS + at), .kind = (uint8_t)kind_of(entry)};
        snprintf(types->handlers[at].name, sizeof(types->handlers[at].name), "%s", entry->name);
}

int task_types_configure(struct task_types *types, const struct config *c, char *why, size_t size)
{
        int r = check_handlers(types, c, why, size);

        if (r)
                return r;
        for (unsigned int i = 0; i < types->n_handlers; i++)
                types->handlers[i].withdrawn = true;
        for (const struct config_task_type *entry = NULL; (entry = config_handler_next(c, entry));) {
                struct task_type *known = find_handler(types, entry->name, strlen(entry->name));

                if (known)
                        known->withdrawn = false;
                else
                        add_handler(types, entry);
        }
        return 0;
}

/* ---- from a task to its type ---- */

const struct task_type *task_types_find(const struct task_types *types, struct bytes name)
{
        for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
                if (wire_str_is(name, built_in[i].name))
                        return &built_in[i];
        return find_handler(types, (const char *)name.data, name.len);
}

static int check_fields(const struct task_type *type, struct bytes task, struct wire_refusal *why)
{
        union wire_body body;
        int r;

        if (!type->message)
                return 0;
        r = wire_decode(type->message, task, &body, why);
        if (!r && type->validate)
                r = type->validate(&body, why);
        return r;
}

int task_type_of(const struct task_types *types, struct bytes task, const struct task_type **out, struct wire_refusal *why)
{
        struct bytes name;

        if (!wire_lookup_str(task, "type", &name))
                return wire_refuse(why, WIRE_INVALID_TASK, "task.type is missing or no string");
        *out = task_types_find(types, name);
        if (!*out)
                return wire_refuse(why, WIRE_UNKNOWN_TYPE, "no handler for type \"%.*s\"",
                        (int)(name.len > 64 ? 64 : name.len), (const char *)name.data);
        if ((*out)->withdrawn)
                return wire_refuse(why, WIRE_TYPE_DISABLED, "%s is no longer configured", (*out)->name);
        return check_fields(*out, task, why);
}
