/*
 * Which layers of a jail hold: code of ours is run in it and tries what must fail. Nothing is taken from what
 * the jail meant to do.
 */
#pragma once

#include "sandbox/jail.h"
#include "sandbox/layer.h"

#define JAIL_LAYERS(X)                                                                                       \
        X(privateRoot, root)                                                                                 \
        X(pidNamespace, pids)                                                                                \
        X(ipcNamespace, ipc)                                                                                 \
        X(netNamespace, net)                                                                                 \
        X(utsNamespace, uts)                                                                                 \
        X(uid, uid)                                                                                          \
        X(capabilities, capabilities)                                                                        \
        X(noNewPrivs, no_new_privs)                                                                          \
        X(scopes, scopes)                                                                                    \
        X(rlimits, rlimits)                                                                                  \
        X(treeMemory, memory)                                                                                \
        X(treeProcesses, processes)                                                                          \
        X(treeCpu, time)                                                                                     \
        X(seccomp, seccomp)

enum jail_layer {
#define X(name, probe) JAIL_LAYER_##probe,
        JAIL_LAYERS(X)
#undef X
                JAIL_N_LAYERS
};

extern const char *const jail_layer_names[JAIL_N_LAYERS];

/* In an open jail. Negative: not even that could be run; jail.fault says why. */
int jail_probe(struct jail *j, enum layer_state states[JAIL_N_LAYERS]);
