/* The control group of a jailer's trees: its limits, who is born into it, and the account at a tree's end. */
#pragma once

#include "sandbox/cgroup.h"
#include "sandbox/cradle.h"

struct jail_group {
        const struct cgroup_host *host; /* NULL: there are none */
        struct cgroup above, own;       /* above: of the project; without one it is not open */
        char project[CGROUP_NAME], name[32];
        uint64_t memory, processes; /* limits, as they were set */
        struct cradle cradle;
        int event, kills; /* version 1: memory ran out somewhere; how many were killed here */
        bool proved[CGROUP_PARTS]; /* the probe has seen it hold: from then on no tree is without it */
        bool killed; /* whatever is born into it now is killed, too */
        struct cgroup_usage before;
};
