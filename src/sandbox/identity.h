/*
 * Who poppod's own processes are: the user that daemon.user names, where poppod is started as root. Whoever
 * becomes that user does so for good.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct identity {
        uid_t uid;
        gid_t gid;
};

/* A name, or a number: its group is that of the user's entry, or without one the same number. 0; positive:
 * there is no such user; negative: users cannot be looked up. */
int identity_find(const char *text, struct identity *who);

#define IDENTITY_CAPABILITY(capability) (UINT64_C(1) << (capability))

/* This process becomes that user and group, without other groups, and keeps these capabilities of those that
 * it has. That there is no way back was tried. It is not dumpable then; a parent's death does what
 * it did. */
int identity_assume(const struct identity *who, uint64_t kept);

/* Stays who it is, with these capabilities at most, and so will whatever it executes. */
int identity_reduce(uint64_t kept);

/* What this process may do, now: the permitted set. */
uint64_t identity_capabilities(void);
