/* Landlock: from then on this thread and all that descends from it open files for reading only, and only
 * those given. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Each descriptor (O_PATH will do) stands for one file, or for a directory and all below it, as they are now:
 * what takes their place under the same name later is another file. Needs no_new_privs. Negative: the kernel
 * has no Landlock, or does not want to. Whatever newer kernels can refuse is refused too: binding ports,
 * signals and abstract sockets to those outside. */
int landlock_confine(const int *readable, size_t n);

/* For a process of poppod's own: no file but these, and no port to be bound. READ: to look at; WRITE: to make
 * and to change; REMOVE: to remove. Signals and sockets stay as they are. */
enum { LANDLOCK_READ = 1, LANDLOCK_WRITE = 2, LANDLOCK_REMOVE = 4 };
struct landlock_grant {
        int fd;
        unsigned int rights;
};
int landlock_grant_only(const struct landlock_grant *grants, size_t n);

/* Only signals and abstract sockets to those outside are refused: files stay as they are. Negative: the
 * kernel does not know them. */
int landlock_confine_sockets(void);
