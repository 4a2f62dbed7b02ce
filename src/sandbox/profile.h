/*
 * The columns of syscalls.def: what a class of workers may do. A new profile is a column there and a row in
 * profile.c. Programs of the operator's pick one of them; what they need in addition to be started at all is
 * the column `start`.
 */
#pragma once

enum profile { PROFILE_JS, PROFILE_HTTP, PROFILE_SHELL, PROFILES };

/* The profile of this name; negative if there is none, and then no such worker may run. */
int profile_find(const char *name);
