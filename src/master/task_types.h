/* The built-in task types as the master sees them: which class of worker runs one, and what is checked before it is queued. */
#pragma once

#include "master/task.h"
#include "wire/codec.h"

struct task_type {
        const struct wire_message *message; /* name and fields */
        enum task_class class;
        /* What the field table cannot say; NULL: nothing. Positive: refused. */
        int (*validate)(const union wire_body *body, struct wire_refusal *why);
};

/* The type of a checked {type, ...} map, after its fields were checked too. Positive: refused with INVALID_TASK or
 * UNKNOWN_TYPE. */
int task_type_of(struct bytes task, const struct task_type **out, struct wire_refusal *why);
