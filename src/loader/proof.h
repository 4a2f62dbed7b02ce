/*
 * What an answer rests on, in a form that can be looked at again later: the files that were read, and the
 * questions whose answer may become another one without any of those files changing. It travels to the
 * worker, which keeps it, and comes back for a check; so what comes back is hostile.
 */
#pragma once

#include "loader/roots.h"
#include "wire/message.h"
#include "wire/pack.h"

/* What was asked for: a load message, or a part of a proof. */
struct question {
        bool in_file; /* else the task asks */
        unsigned int root;
        struct bytes from, name;
};

struct answer {
        bool found;
        unsigned int root;
        struct place place;
};

/* One that is being written, as an array. */
struct proof {
        struct pack pack;
        size_t head;
        uint32_t n;
};

void proof_open(struct proof *p, struct buf *out);
void proof_add_file(struct proof *p, unsigned int root, const struct found *f);
void proof_add_question(struct proof *p, const struct question *q, const struct answer *a);
/* -ENOBUFS, -ENOMEM: it is not whole. */
int proof_close(struct proof *p);

/* 0: all holds; ROOTS_ABSENT: something changed; -EPROTO: these are no elements of ours. proof is an encoded
 * array. */
int proof_check(const struct roots *r, struct bytes proof);
