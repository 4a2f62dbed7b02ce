/*
 * The task types as the master sees them: which class of workers runs one, and what is checked before it is queued. The
 * built-in ones are a table; the operator's handlers come from the configuration, and each has a class of its own.
 */
#pragma once

#include "config/config.h"
#include "master/task.h"
#include "wire/codec.h"

/* What the workers of a class are; the index of the word in the wire's spawn.class. */
enum class_kind { KIND_JS, KIND_COMPILE, KIND_HTTP, KIND_SHELL, KIND_PROGRAM, KIND_PLUGIN, KINDS };

struct class_traits {
        bool signalled;       /* told of a cancel or a follower by a signal, since it is inside of a script; else by a frame */
        bool beats;           /* judged by its heartbeats from the start; else from its first one on */
        bool configured;      /* gets settings before it runs anything */
        enum isolation least; /* what its workers are shared by at most */
};

extern const struct class_traits class_traits[KINDS];

enum { TASK_TYPE_NAME_MAX = 64 };

struct task_type {
        char name[TASK_TYPE_NAME_MAX + 1];
        const struct wire_message *message; /* its fields; NULL: a handler's, which are its own business */
        uint8_t class;                      /* enum task_class */
        uint8_t kind;                       /* enum class_kind */
        bool withdrawn;                     /* a handler that is no longer configured: its tasks are refused */
        /* What the field table cannot say; NULL: nothing. Positive: refused. */
        int (*validate)(const union wire_body *body, struct wire_refusal *why);
};

/* Handlers keep their class and their place here for life, since tasks and records point at them. */
struct task_types {
        struct task_type handlers[HANDLERS_MAX];
        unsigned int n_handlers;
};

/* Takes over the configured handlers. 0; positive: there were more names than places since the start, or a name changed
 * between program and plugin, which needs a restart; then nothing was changed. */
int task_types_configure(struct task_types *types, const struct config *c, char *why, size_t size);

/* The type of this name; NULL: there is none. */
const struct task_type *task_types_find(const struct task_types *types, struct bytes name);

/* The type of a checked {type, ...} map, after its fields were checked too. Positive: refused with INVALID_TASK,
 * UNKNOWN_TYPE or TYPE_DISABLED. */
int task_type_of(const struct task_types *types, struct bytes task, const struct task_type **out, struct wire_refusal *why);

/* The type that this class belongs to; NULL for a built-in class, which may serve several. */
const struct task_type *task_types_handler(const struct task_types *types, enum task_class class);
enum class_kind task_types_kind(const struct task_types *types, enum task_class class);
/* How a class is called in logs, in status and to users: a handler's by its type. */
const char *task_types_class_name(const struct task_types *types, enum task_class class);
const char *class_kind_name(enum class_kind kind);
