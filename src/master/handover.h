/*
 * What the master must still reach after it has become daemon.user: its files are made by root, and given to
 * that user while that can be done. Only what is root's own or that user's already is given, and nothing that
 * has a second name elsewhere: that user may have written here before, and would like to be given somebody
 * else's file.
 */
#pragma once

#include "sandbox/identity.h"

/* The state directory and the files in it. 0, or negative. */
int handover_directory(const char *path, const struct identity *to);
/* An open file. */
int handover_file(int fd, const struct identity *to);
/* A socket's file; and the directory that it is in. */
int handover_socket(const char *path, const struct identity *to);
int handover_parent(const char *path, const struct identity *to);
