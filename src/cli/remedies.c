/*
 * One row for each reason that is known, the most telling first. A reason is looked for in what the kernel says of itself;
 * the last row of a layer needs none.
 */
#include "cli/remedies.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* -1: there is no such file, or no number in it. */
static int number_in(const char *path)
{
        FILE *f = fopen(path, "re");
        int n = -1;

        if (f) {
                if (fscanf(f, "%d", &n) != 1)
                        n = -1;
                fclose(f);
        }
        return n;
}

static bool always(void)
{
        return true;
}

static bool is_ordinary(void)
{
        return geteuid() != 0;
}

static bool user_namespaces_are_off(void)
{
        return is_ordinary() && number_in("/proc/sys/user/max_user_namespaces") == 0;
}

static bool user_namespaces_are_roots(void)
{
        return is_ordinary() && number_in("/proc/sys/kernel/unprivileged_userns_clone") == 0;
}

static bool user_namespaces_are_restricted(void)
{
        return is_ordinary() && number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1;
}

/* The kernel lets nobody make a user namespace whose root is not that of its mounts. */
static bool is_chrooted(void)
{
        struct stat own, first;

        return !stat("/proc/self/root/.", &own) && !stat("/proc/1/root/.", &first) &&
                (own.st_dev != first.st_dev || own.st_ino != first.st_ino);
}

/* EOPNOTSUPP: built in, but not among the modules that were chosen at boot. */
static bool landlock_is_off(void)
{
        return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0 && errno == EOPNOTSUPP;
}

static bool landlock_is_missing(void)
{
        return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) < 0 && errno == ENOSYS;
}

static bool seccomp_is_missing(void)
{
        return prctl(PR_GET_SECCOMP) < 0 && errno == EINVAL;
}

static bool cgroups_are_not_mounted(void)
{
        return access("/sys/fs/cgroup/cgroup.procs", F_OK) < 0 && access("/sys/fs/cgroup/memory", F_OK) < 0;
}

static bool needs_namespaces(const char *layer)
{
        static const char *const layers[] = {"privateRoot", "pidNamespace", "ipcNamespace", "netNamespace", "utsNamespace",
                "capabilities", NULL};

        for (int i = 0; layers[i]; i++)
                if (!strcmp(layers[i], layer))
                        return true;
        return false;
}

static const struct row {
        const char *layer; /* NULL: each that needs namespaces; "": every one */
        bool (*holds)(void);
        struct remedy remedy;
} rows[] = {
        {NULL, user_namespaces_are_off,
                {"user namespaces are switched off (user.max_user_namespaces is 0)",
                        "sysctl -w user.max_user_namespaces=15000"}},
        {NULL, user_namespaces_are_roots,
                {"only root may make user namespaces here (kernel.unprivileged_userns_clone is 0)",
                        "sysctl -w kernel.unprivileged_userns_clone=1, or run poppod as root"}},
        {NULL, user_namespaces_are_restricted,
                {"AppArmor restricts user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1)",
                        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or run poppod as root"}},
        {NULL, is_chrooted,
                {"poppod would run in a chroot, where the kernel makes no user namespaces",
                        "enter that root with pivot_root(8) or a container manager instead of chroot(8)"}},
        {NULL, always,
                {"namespaces could not be made",
                        "run poppod as root with CAP_SYS_ADMIN, or allow user namespaces in the container"}},
        {"uid", is_ordinary,
                {"only root can give each worker a user of its own; namespaces and filters keep tasks apart without it",
                        "run poppod as root"}},
        {"uid", always,
                {"poppod lacks the capability to change users, or to make namespaces",
                        "run poppod as root with CAP_SETUID, CAP_SETGID and CAP_SYS_ADMIN"}},
        {"landlock", landlock_is_off,
                {"Landlock is not among the security modules that were chosen at boot",
                        "boot with lsm=landlock,... (see /sys/kernel/security/lsm)"}},
        {"landlock", landlock_is_missing,
                {"the kernel has no Landlock", "use a kernel from 5.13 on, built with CONFIG_SECURITY_LANDLOCK"}},
        {"scopes", always,
                {"the kernel's Landlock has no scopes",
                        "use a kernel from 6.12 on; without network: true namespaces do the same"}},
        {"seccomp", seccomp_is_missing,
                {"the kernel has no seccomp", "use a kernel that is built with CONFIG_SECCOMP_FILTER"}},
        {"treeMemory", cgroups_are_not_mounted,
                {"no control groups are mounted at /sys/fs/cgroup", "mount -t cgroup2 none /sys/fs/cgroup"}},
        {"treeMemory", is_ordinary,
                {"no control group of this user's own has the memory controller",
                        "run poppod under systemd with Delegate=yes, as by systemd-run --user --scope -p Delegate=yes"}},
        {"treeMemory", always,
                {"the memory controller is not to be had in poppod's control group",
                        "give it a delegated group with the memory controller"}},
        {"treeCpu", cgroups_are_not_mounted,
                {"no control groups are mounted at /sys/fs/cgroup", "mount -t cgroup2 none /sys/fs/cgroup"}},
        {"treeCpu", always,
                {"no control group of poppod's own counts CPU time", "run poppod as root, or under systemd with Delegate=yes"}},
        {"", always, {"no reason is known", "run poppod with logging.level debug and look into its log"}},
};

const struct remedy *remedy_find(const char *layer)
{
        const struct row *r = rows;

        while (*(r->layer ? r->layer : "-")) {
                if ((r->layer ? !strcmp(r->layer, layer) : needs_namespaces(layer)) && r->holds())
                        break;
                r++;
        }
        return &r->remedy;
}
