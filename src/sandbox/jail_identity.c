/* Who the jailer is while it makes namespaces, and who the processes of a tree are: nobody. */
#include "sandbox/jail_private.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* In a user namespace the tree has this number, whatever the user's own is. Never 0: an exec would give
 * capabilities. */
enum { MAPPED_ID = 1000, CAPS_MAX = 64 };

/* In a container that knows few users a slot's user is one of these. */
enum { FEW_FIRST = 50000, FEW = 10000 };

static void close_file(FILE **f)
{
        if (*f)
                fclose(*f);
}

static bool is_known(const char *map, unsigned int id)
{
        CLEANUP(close_file) FILE *f = fopen(map, "re");
        unsigned int inside, outside, n;

        while (f && fscanf(f, "%u %u %u", &inside, &outside, &n) == 3)
                if (id >= inside && id - inside < n)
                        return true;
        return false;
}

uid_t jail_known_uid(uid_t wanted)
{
        if (!wanted || (is_known("/proc/self/uid_map", wanted) && is_known("/proc/self/gid_map", wanted)))
                return wanted;
        return FEW_FIRST + wanted % FEW;
}

static int write_text(const char *path, const char *text)
{
        CLEANUP(cleanup_close) int fd = open(path, O_WRONLY | O_CLOEXEC);
        size_t len = strlen(text);

        if (fd < 0 || write(fd, text, len) != (ssize_t)len)
                return -errno;
        return 0;
}

static int map_ids(uid_t uid, gid_t gid)
{
        char users[48], groups[48];
        int r;

        snprintf(users, sizeof(users), "%d %u 1", MAPPED_ID, uid);
        snprintf(groups, sizeof(groups), "%d %u 1", MAPPED_ID, gid);
        r = write_text("/proc/self/setgroups", "deny");
        if (!r)
                r = write_text("/proc/self/uid_map", users);
        return r ? r : write_text("/proc/self/gid_map", groups);
}

/* A root that may make no namespaces would still be the machine's root in a user namespace. Another user in
 * its stead, where that can be had; where not, the probe says that there is none. A change of user forgets
 * what its parent's death does. */
static int stop_being_root(const struct jail *j)
{
        pid_t parent = getppid();
        int signal = 0;

        if (geteuid() || !j->uid || setgroups(0, NULL) < 0 || setresgid(j->gid, j->gid, j->gid) < 0 ||
                prctl(PR_GET_PDEATHSIG, &signal) < 0 || setresuid(j->uid, j->uid, j->uid) < 0)
                return 0;
        if (prctl(PR_SET_DUMPABLE, 1) < 0 || prctl(PR_SET_PDEATHSIG, signal) < 0)
                return -errno;
        return getppid() == parent ? 0 : -ESRCH;
}

static int enter_user_namespace(struct jail *j)
{
        int r = stop_being_root(j);
        uid_t uid = geteuid();
        gid_t gid = getegid();

        if (r)
                return jail_fail(j, r, "being another user than root");
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS) < 0)
                return jail_fail(j, -errno, "a user namespace");
        r = map_ids(uid, gid);
        if (r)
                return jail_fail(j, r, "the user namespace's map");
        j->user_namespace = true;
        j->uid = j->gid = MAPPED_ID;
        return 0;
}

/* Should memory run out, a tree goes before anybody else. Whether namespaces can be made is seen by making
 * one. */
static int enter(struct jail *j)
{
        int r = 0;

        write_text("/proc/self/oom_score_adj", "1000");
        j->uid = j->gid = jail_known_uid(j->spec.uid);
        if (geteuid() || !j->uid || unshare(CLONE_NEWNS | CLONE_NEWUTS) < 0)
                r = enter_user_namespace(j);
        /* What the jailer mounts is its own, but what the machine unmounts is not held. */
        if (!r && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                r = jail_fail(j, -errno, "mounts of its own");
        return r;
}

/* Once here instead of in each tree: it takes nothing from the jailer, but from whatever its children
 * execute. */
static int drop_bounding(void)
{
        unsigned long cap = 0;

        while (cap < CAPS_MAX && prctl(PR_CAPBSET_DROP, cap) == 0)
                cap++;
        return cap && errno == EINVAL ? 0 : -errno;
}

int jail_identity_enter(struct jail *j)
{
        int dumpable = prctl(PR_GET_DUMPABLE), r;

        /* What is made from now on is for trees, whatever the supervisor's own files are like. */
        umask(022);
        if (prctl(PR_SET_DUMPABLE, 1) < 0)
                return jail_fail(j, -errno, "PR_SET_DUMPABLE");
        r = enter(j);
        if (!r && drop_bounding())
                r = jail_fail(j, -errno, "the capabilities' bound");
        if (prctl(PR_SET_DUMPABLE, dumpable == 1) < 0 && !r)
                r = jail_fail(j, -errno, "PR_SET_DUMPABLE");
        return r;
}

/* ---- nobody ---- */

static int drop_capabilities(void)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
                syscall(SYS_capset, &head, none) < 0)
                return -errno;
        return 0;
}

/* By the calls themselves: the C library would tell threads that a forked process does not have. */
static int become(const struct jail *j)
{
        /* A user namespace of an ordinary user keeps the groups: the probe looks. */
        if (!j->user_namespace && syscall(SYS_setgroups, 0, NULL) < 0)
                return -errno;
        if (syscall(SYS_setresgid, j->gid, j->gid, j->gid) < 0 ||
                syscall(SYS_setresuid, j->uid, j->uid, j->uid) < 0)
                return -errno;
        return 0;
}

int jail_identity_drop(const struct jail *j)
{
        int r = become(j);

        if (!r)
                r = drop_capabilities();
        if (!r && (syscall(SYS_setuid, 0) == 0 || syscall(SYS_setgid, 0) == 0))
                r = -EPERM;
        return r;
}
