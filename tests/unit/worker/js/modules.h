/* The stage of the tests of execute-module: a worker, and a loader with a library that it asks. */
#pragma once

#include "library.h"
#include "rig.h"

extern struct library library;
extern struct rig rig;
extern struct rig_reply got; /* by the last call */

/* For a group's setup and teardown. */
int modules_start(const struct library_file *files, size_t n);
int modules_stop(void **state);

/* Calls a module, or one of its methods; args is an encoded array or empty. The value is as rig_print() writes it. */
void gives(const char *path, const char *method, struct bytes args, const char *value);
/* part: of the error's message. */
void fails_with(const char *path, const char *method, struct bytes args, const char *code, const char *part);
