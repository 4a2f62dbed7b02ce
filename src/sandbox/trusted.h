/*
 * Code that the operator named and that is about to be run: nobody but root and the supervisor's own user may
 * have been able to change it, or what its path leads to.
 *
 * The path is walked by descriptor, one name at a time, symbolic links included. Every directory and link on
 * the way and the file itself must belong to root or to this process's user; none may be writable by its
 * group or by others, but for directories like /tmp, where only the owner of a name may change what it stands
 * for. What is open afterwards is what was checked: use the descriptor, or /proc/self/fd/N, not the path.
 */
#pragma once

#include <stdbool.h>

enum { TRUSTED_FAULT = 192 };

/* Opens a regular file for reading, or one to be executed, as a close-on-exec descriptor. Negative: -EPERM
 * where somebody else could have changed it, and any errno of opening; then `fault` has a phrase that names
 * the file or directory. */
int trusted_open(const char *path, bool executable, char fault[static TRUSTED_FAULT]);
