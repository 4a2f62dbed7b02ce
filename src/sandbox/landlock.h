/* Landlock: from then on this thread and all that descends from it open files for reading only, and only
 * those given. */
#pragma once

#include <stddef.h>

/* Each descriptor (O_PATH will do) stands for one file, or for a directory and all below it, as they are now:
 * what takes their place under the same name later is another file. Needs no_new_privs. Negative: the kernel
 * has no Landlock, or does not want to. Whatever newer kernels can refuse is refused too: binding ports,
 * signals and abstract sockets to those outside. */
int landlock_confine(const int *readable, size_t n);

/* From now on this process and its descendants reach no abstract socket and signal no process that is not among
 * them. Needs no_new_privs. -EOPNOTSUPP: the kernel has no Landlock that knows this. */
int landlock_scope(void);
