/* A jailer for tests: a child that opens a jail, as root or as an ordinary user, and runs one tree in it. */
#pragma once

#include "sandbox/jail.h"

/* CONTAINED: root of a user namespace with 65536 users, as containers have it. */
enum who { ROOT, NOBODY, CONTAINED };

struct visit {
        enum who who;
        struct jail_spec spec;
        struct jail_command command; /* stdout and stderr are collected */
        /* In the jailer, with the tree not yet started, running (before its end is waited for), and ended.
         * May be NULL. */
        void (*before)(struct jail_tree *);
        void (*during)(struct jail_tree *);
        void (*after)(struct jail_tree *);
        void (*opened)(struct jail *); /* behind the trees, if there are some */
        int times;                     /* trees one after the other; 0 = 1. What is told is the last one's */
        /* What became of it: */
        int status; /* the jailer's own; anything but 0 is a fault of the test's, unless that kills it */
        int error;  /* of opening or starting, then fault says of what */
        char fault[JAIL_FAULT];
        struct jail_end end;
        char out[65536]; /* NUL-terminated, cut */
        size_t out_len;
        int64_t said[16]; /* left by before, during, after and calls: the memory is shared */
};

/* Memory that child and grandchildren share with the test. */
struct visit *visit_new(enum who who);
void visit_free(struct visit *v);
/* False, and says so, where this test cannot be that user. */
bool visit_possible(const struct visit *v);
void visit_run(struct visit *v);
/* By /bin/sh -c; asserts that it ran. */
const char *visit_shell(struct visit *v, const char *script);
