/*
 * What poppod's own helper processes give up once they have what they work on: other programs, other processes, the
 * network, and every call by which they would look into others. They run no foreign code, so this is a list of what is
 * forbidden; workers have lists of what is allowed.
 */
#pragma once

/* For this process, for good: no_new_privs, not dumpable, no core file, and the filter (not under a sanitizer or
 * valgrind). */
int renounce_rights(void);
