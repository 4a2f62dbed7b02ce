/*
 * The world that every task starts from: a JavaScript heap in the arena with its globals, built once.
 *
 * What a task does not see: Duktape, CBOR, require, files, the network, timers of the process. What it does
 * see is ES5.1 with Duktape's additions of later years, console, and Math.random() from the kernel.
 */
#pragma once

#include <duktape.h>
#include <stdbool.h>

/* The engine's own objects, as they were before any task could change the globals that name them. */
enum world_object {
#define OBJECT(id, expression) WORLD_##id,
#include "worker/js/world.def"
        WORLD_OBJECTS,
};

/* Builds the world in the mapped arena. on_fatal must not return. */
int world_build(duk_fatal_function on_fatal);

/* Lets go of what nothing refers to, before an image is kept. */
void world_tidy(duk_context *ctx);

/* The heap's only context; the same pointer after every restore. */
duk_context *world_context(void);

void world_push(duk_context *ctx, enum world_object object);
/* Whether the object at idx has this object as its direct prototype. */
bool world_has_prototype(duk_context *ctx, duk_idx_t idx, enum world_object object);
