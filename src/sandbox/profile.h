/* The columns of syscalls.def and rlimits.def: what a class of workers may do. A new class is a column and a row here. */
#pragma once

enum profile { PROFILE_JS, PROFILES };

/* The column of this class; negative if there is none, and then no such worker may run. */
int profile_find(const char *class);
