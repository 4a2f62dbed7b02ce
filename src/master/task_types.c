/* The table of types. A new type is a row here, a TASK in messages.def, and a handler in its worker class. */
#include "master/task_types.h"

#include "wire/cursor.h"

static int validate_function(const union wire_body *body, struct wire_refusal *why)
{
        const struct wire_execute_function *f = &body->execute_function;

        if (WIRE_HAS(f, execute_function, fn) == WIRE_HAS(f, execute_function, code))
                return wire_refuse(why, WIRE_INVALID_TASK, "execute-function needs either fn or code");
        return 0;
}

static const struct task_type types[] = {
        {WIRE_MESSAGE(execute_code), CLASS_JS, NULL},
        {WIRE_MESSAGE(execute_function), CLASS_JS, validate_function},
};

static const struct task_type *find(struct bytes name)
{
        for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
                if (wire_str_is(name, types[i].message->name))
                        return &types[i];
        return NULL;
}

int task_type_of(struct bytes task, const struct task_type **out, struct wire_refusal *why)
{
        const struct task_type *type;
        union wire_body body;
        struct bytes name;
        int r;

        if (!wire_lookup_str(task, "type", &name))
                return wire_refuse(why, WIRE_INVALID_TASK, "task.type is missing or no string");
        type = find(name);
        if (!type)
                return wire_refuse(why, WIRE_UNKNOWN_TYPE, "no handler for type \"%.*s\"",
                        (int)(name.len > 64 ? 64 : name.len), (const char *)name.data);
        r = wire_decode(type->message, task, &body, why);
        if (!r && type->validate)
                r = type->validate(&body, why);
        *out = type;
        return r;
}
