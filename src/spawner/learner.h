/*
 * Who listens to the filters of workers that learn: each call that the profile would refuse or end a worker
 * for is let through and counted. At the end it prints what the profile would have to allow.
 */
#pragma once

/* Listens on this path until standard input is closed, then prints, and removes the path with its directory. Returns
 * the exit status. */
int learner_main(const char *path, const char *type);
