/*
 * A jail holds a process tree: its own processes, mounts, IPC, host name and, unless told otherwise, network;
 * a root of its own with the system's directories read-only and one private directory; a user without
 * privileges, limits and a system call filter. When the first process of a tree ends, all of it ends.
 *
 *   jail_open(&jail, &spec)              once: the calling process becomes the jailer and moves into the root
 * itself jail_tree_open(&jail, &tree)         a private directory; put files into it by tree.disk
 *   jail_tree_start(&tree, &command)     from now on poll tree.pidfd
 *   jail_tree_wait(&tree, &end)          nothing of it lives any more; its private directory still can be
 * read jail_tree_close(&tree)
 *
 * The jailer has one thread besides the jail's own, and must be able to make namespaces: as root, or by a user
 * namespace, which is entered if needed. When the jailer dies, for whatever reason, its tree dies. Failures say what failed in
 * jail.fault.
 */
#pragma once

#include "sandbox/filter.h"
#include "sandbox/jail_group.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* Inside. The three lie on one file system of limited size; JAIL_TMP is where /tmp leads to. */
#define JAIL_DISK "/task"
#define JAIL_WORK "/task/work"
#define JAIL_HOME "/task/home"
#define JAIL_TMP "/task/tmp"
#define JAIL_PATH "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

enum { JAIL_FDS_MAX = 8, JAIL_PATHS_MAX = 64, JAIL_FAULT = 192, JAIL_WHAT = 48 };

/* What all trees of a jailer have in common. A limit of 0 is no limit. */
struct jail_spec {
        const struct filter *filter; /* NULL: none can be had; the probe then says so. One that asks is answered by the
                                        tree's init: it kills, and the end says for which call */
        const char *const
                *paths; /* absolute, ends with NULL; what is there is seen at the same place, read-only */
        bool network;   /* the machine's own */
        int learner;    /* where the listener of a filter that learns goes, instead of to the tree's init; 0: nowhere */
        uid_t uid;      /* of the tree, and its group; where users can be chosen at all */
        uint64_t disk_bytes, disk_files; /* of the private directory */
        uint64_t memory_bytes;           /* what one process may write to of its own */
        uint64_t cpu_seconds;            /* of one process */
        uint64_t processes;              /* of a tree, threads included */
        uint64_t descriptors;            /* of one process */
        uint64_t tree_memory_bytes;      /* of a tree, its private directory included; where groups can be had */
        const struct cgroup_host *groups; /* the caller's; NULL: none */
        const char *project;              /* a group below those that the tree's is in; NULL: none */
        unsigned int slot;                /* no two jailers of a supervisor have the same */
};

struct jail {
        struct jail_spec spec; /* filter is the caller's */
        bool entered;          /* namespaces for good */
        bool user_namespace;   /* entered */
        bool contained;        /* this or another one: the kernel then is stricter about /proc */
        uid_t uid;
        gid_t gid;
        ino_t ipc, network;          /* namespaces of the machine, to tell others from */
        bool built;                  /* the root stands, with the paths and the network of spec */
        unsigned int builds;         /* how often it was built */
        char **paths;                /* of spec, copied */
        int home, net;               /* the jailer's first mount namespace; an empty network, -1: not made */
        char *below[JAIL_PATHS_MAX]; /* paths that lie in the private directory: mounted for each tree */
        size_t n_below;
        struct jail_group group;
        char fault[JAIL_FAULT];
};

/* The user of a slot. Two supervisors on one machine have different ones (up to chance: 12 bits of the pid).
 */
uid_t jail_uid(pid_t master, uint64_t slot);
/* The same user where there are as many, as nearly everywhere; else another one of the few that a container has. */
uid_t jail_known_uid(uid_t wanted);

/* Before the first jail_open(). */
void jail_init(struct jail *j);
/* Again with another spec: where paths or network differ, the root is built anew. Negative: jail.fault says
 * what failed, and no tree can be started. */
int jail_open(struct jail *j, const struct jail_spec *spec);
void jail_fini(struct jail *j);

struct jail_command {
        char *const *argv;
        const char *file; /* what is executed; NULL: argv[0]. Without a slash it is looked up in envp's PATH,
                             inside */
        char *const *envp;
        const char *cwd;       /* absolute, inside; NULL: JAIL_WORK */
        int fds[JAIL_FDS_MAX]; /* becomes descriptor 0, 1, ...; -1: /dev/null */
        int n_fds;
        /* Instead of argv: called in the jail, behind all layers; what it returns is the exit status. */
        int (*call)(void *arg);
        void *arg;
};

struct jail_tree {
        struct jail *jail;
        int disk;  /* root of the private file system: work/, home/, tmp/ */
        pid_t pid; /* of the tree's init, 0: not started */
        int pidfd; /* readable when all of it is dead */
        int line;
};

struct jail_end {
        enum { JAIL_RAN, JAIL_NOT_STARTED, JAIL_NOT_FOUND, JAIL_UNKNOWN } how;
        int error; /* negative. NOT_STARTED: of what; NOT_FOUND: of running the executable */
        char what[JAIL_WHAT];
        /* The system call for which its filter asked, and for which its init killed it; empty: none. A command that ended so
         * has the status of one that the kernel ended by SIGSYS. */
        char denied[FILTER_CALL_NAME];
        int status;         /* the command's, as from waitpid() */
        /* By the whole tree, where it has a group that counts it; else as far as its init could wait for it, and the
         * largest process's memory. */
        uint64_t cpu_us, peak_bytes;
        bool out_of_memory; /* something of it was killed, since there was no memory: its own limit if full */
        bool full;
        uint64_t refused_forks;
};

int jail_tree_open(struct jail *j, struct jail_tree *t);
int jail_tree_start(struct jail_tree *t, const struct jail_command *c);
/* Asks the tree's init to end all of it and to count what was used. */
void jail_tree_stop(struct jail_tree *t);
/* Ends all of it at once, without the counting. */
void jail_tree_kill(struct jail_tree *t);
/* What a tree that runs has used so far, where that is counted; else 0. */
uint64_t jail_tree_cpu_us(const struct jail_tree *t);
/* Blocks until pidfd is readable. Negative: nothing is known of its end; it has ended all the same. */
int jail_tree_wait(struct jail_tree *t, struct jail_end *end);
/* Kills what still runs. The private directory is gone with its last descriptor. */
void jail_tree_close(struct jail_tree *t);
