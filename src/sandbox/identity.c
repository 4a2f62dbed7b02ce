/* Groups first, then the user, then what root's other rights are called; and a look whether it is true. */
#include "sandbox/identity.h"

#include "base/error.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CAPABILITIES_MAX = 64, NUMBER_DIGITS = 10 };

/* ---- finding ---- */

static bool is_number(const char *text)
{
        size_t n = strlen(text);

        return n && n <= NUMBER_DIGITS && strspn(text, "0123456789") == n;
}

static int find_number(const char *text, struct identity *who)
{
        unsigned long number = strtoul(text, NULL, 10);
        const struct passwd *entry;

        /* The highest one means "stays as it is" to the calls that change users. */
        if (number >= (uid_t)-1)
                return 1;
        entry = getpwuid((uid_t)number);
        *who = (struct identity){.uid = (uid_t)number, .gid = entry ? entry->pw_gid : (gid_t)number};
        return 0;
}

int identity_find(const char *text, struct identity *who)
{
        const struct passwd *entry;

        if (is_number(text))
                return find_number(text, who);
        errno = 0;
        entry = getpwnam(text);
        if (!entry)
                return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO
                               ? error_origin(-errno)
                               : 1;
        *who = (struct identity){.uid = entry->pw_uid, .gid = entry->pw_gid};
        return 0;
}

/* ---- capabilities ---- */

struct sets {
        struct __user_cap_header_struct head;
        struct __user_cap_data_struct half[_LINUX_CAPABILITY_U32S_3];
};

static int get_sets(struct sets *s)
{
        *s = (struct sets){.head.version = _LINUX_CAPABILITY_VERSION_3};
        return syscall(SYS_capget, &s->head, s->half) < 0 ? error_origin(-errno) : 0;
}

uint64_t identity_capabilities(void)
{
        struct sets s;

        return get_sets(&s) < 0 ? 0 : s.half[0].permitted | (uint64_t)s.half[1].permitted << 32;
}

static int set_capabilities(uint64_t kept)
{
        struct sets s;
        int r = get_sets(&s);

        if (r < 0)
                return r;
        for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
                s.half[i].permitted &= (uint32_t)(kept >> (32 * i));
                s.half[i].effective = s.half[i].permitted;
                s.half[i].inheritable = 0;
        }
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
                syscall(SYS_capset, &s.head, s.half) < 0)
                return error_origin(-errno);
        return 0;
}

/* The bound is for what is executed. Whoever may not lower it has nothing in it to gain. */
static void lower_bound(uint64_t kept)
{
        for (unsigned long cap = 0; cap < CAPABILITIES_MAX; cap++)
                if (!(kept & IDENTITY_CAPABILITY(cap)))
                        prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

int identity_reduce(uint64_t kept)
{
        lower_bound(kept);
        return set_capabilities(kept);
}

/* ---- becoming ---- */

/* A change of user forgets what its parent's death does. */
static int change_user(const struct identity *who)
{
        pid_t parent = getppid();
        int signal = 0;

        if (prctl(PR_GET_PDEATHSIG, &signal) < 0 || setgroups(0, NULL) < 0 || setresgid(who->gid, who->gid, who->gid) < 0 ||
                setresuid(who->uid, who->uid, who->uid) < 0)
                return error_origin(-errno);
        if (signal && prctl(PR_SET_PDEATHSIG, signal) < 0)
                return error_origin(-errno);
        return !signal || getppid() == parent ? 0 : error_origin(-ESRCH);
}

static bool is_for_good(const struct identity *who, uint64_t kept)
{
        uid_t u[3];
        gid_t g[3];

        if (getresuid(&u[0], &u[1], &u[2]) < 0 || getresgid(&g[0], &g[1], &g[2]) < 0 || getgroups(0, NULL))
                return false;
        for (int i = 0; i < 3; i++)
                if (u[i] != who->uid || g[i] != who->gid)
                        return false;
        if (identity_capabilities() & ~kept)
                return false;
        return !who->uid ||
               (setresuid((uid_t)-1, 0, (uid_t)-1) < 0 && setresgid((gid_t)-1, 0, (gid_t)-1) < 0);
}

int identity_assume(const struct identity *who, uint64_t kept)
{
        int r;

        lower_bound(kept);
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
                return error_origin(-errno);
        r = change_user(who);
        if (!r)
                r = set_capabilities(kept);
        if (!r && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
                r = error_origin(-errno);
        if (!r && !is_for_good(who, kept))
                r = error_origin(-EPERM);
        return r;
}
