/* A worker in a child of the test's own, and the master's end of its channel. */
#pragma once

#include "wire/channel.h"
#include "wire/codec.h"

#include <sys/types.h>

struct library;

struct rig {
        pid_t pid;
        struct channel channel;
        uint64_t seq;
        unsigned int beats;
        struct library *library; /* answers what the worker asks the loader; NULL: nobody does */
        unsigned int loads, checks;
        uint64_t asked; /* seq of the last question */
        bool deaf;      /* questions are counted and not answered */
        bool refuses;   /* they are refused, as when there is no loader */
};

/* What came back. Texts are NUL-terminated and good until the next rig_ call. */
struct rig_reply {
        char value[8192]; /* as JSON would have it, see rig_print(); "" with an error */
        char code[32], name[64], message[4096], stack[4096], data[1024];
        char logs[8192];
        bool truncated;
        uint64_t cpu_us, max_memory_bytes;
        size_t value_bytes;
};

/* Runs the test again with a stack as large as the spawner gives it, once. Call first in main(). */
void rig_raise_stack(char **argv);

struct wire_spawn_setup rig_setup(void);
void rig_start(struct rig *r, const struct wire_spawn_setup *setup);
/* Closes the channel and gives the child's wait status. */
int rig_stop(struct rig *r);

/* {type:"execute-code", code} with a timeout. */
void rig_send_code(struct rig *r, const char *code, uint64_t timeout_ms);
void rig_code(struct rig *r, const char *code, uint64_t timeout_ms, struct rig_reply *out);
/* {type:"execute-function", KEY: source, args}; args is an encoded array or empty. */
void rig_function(
        struct rig *r, const char *key, const char *source, struct bytes args, struct rig_reply *out);
/* {type:"execute-module", modulePath, method?, args?}; args is an encoded array or empty. */
void rig_module(
        struct rig *r, const char *path, const char *method, struct bytes args, struct rig_reply *out);
void rig_send_module(
        struct rig *r, const char *path, const char *method, struct bytes args, uint64_t timeout_ms);
/* Answers the worker's last question now; any message that is a reply to it. */
void rig_answer(struct rig *r, uint64_t seq, const struct wire_message *m, const void *body);
/* Takes frames until a question came. */
void rig_wait_for_question(struct rig *r);
/* Any task map. */
void rig_task(struct rig *r, struct bytes task, uint64_t timeout_ms, struct rig_reply *out);
void rig_send(struct rig *r, struct bytes task, uint64_t timeout_ms);
void rig_receive(struct rig *r, struct rig_reply *out);

/* How often a text stands in the memory that the worker can write to. */
size_t rig_count_in_memory(struct rig *r, const char *needle);

/* Bin as <hex>, extensions as (type:hex), floats with a point. */
void rig_print(struct bytes value, char *out, size_t n);
