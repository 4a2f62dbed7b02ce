/* One function a layer, called in the jail behind all of them. */
#include "sandbox/jail_probe.h"
#include "sandbox/jail_private.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>

/* PROBE_FORKS: more than a narrow group lets be. */
enum { PROBE_BYTES = 4 << 20, PROBE_FORKS = 4 };

/* Shared with the jailer, which says how things are outside. */
struct probe {
        const struct jail *jail;
        pid_t jailer;
        struct sockaddr_un listener;
        socklen_t listener_len; /* 0: nobody listens */
        enum layer_state states[JAIL_N_LAYERS];
};

const char *const jail_layer_names[JAIL_N_LAYERS] = {
#define X(name, probe) #name,
        JAIL_LAYERS(X)
#undef X
};

static enum layer_state enforced_if(bool holds)
{
        return holds ? LAYER_ENFORCED : LAYER_ABSENT;
}

static bool can_create(const char *path)
{
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

        if (fd < 0)
                return false;
        close(fd);
        unlink(path);
        return true;
}

/* Files of every machine that have no business inside, and places that nothing can be written to. */
static enum layer_state probe_root(const struct probe *p)
{
        static const char *const hidden[] = {
                "/etc/shadow", "/root", "/boot", "/sys", "/proc/1/mem", "/proc/1/root"};
        static const char *const fixed[] = {"/probe", "/etc/probe", "/usr/probe", "/dev/probe", "/run/probe"};
        struct stat st;

        (void)p;
        for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
                if (lstat(hidden[i], &st) == 0)
                        return LAYER_PARTIAL;
        for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
                if (can_create(fixed[i]))
                        return LAYER_PARTIAL;
        return LAYER_ENFORCED;
}

/* Its jailer, which is alive, is nobody here. */
static enum layer_state probe_pids(const struct probe *p)
{
        return enforced_if(getppid() == 1 && (kill(p->jailer, 0) < 0 || p->jailer == getpid()));
}

static enum layer_state probe_namespace(const char *name, ino_t outside)
{
        ino_t inside = jail_namespace_of_self(name);

        return inside && outside ? enforced_if(inside != outside) : LAYER_PARTIAL;
}

static enum layer_state probe_ipc(const struct probe *p)
{
        return probe_namespace("ipc", p->jail->ipc);
}

static enum layer_state probe_net(const struct probe *p)
{
        return probe_namespace("net", p->jail->network);
}

static enum layer_state probe_uts(const struct probe *p)
{
        struct utsname name;

        (void)p;
        return enforced_if(
                uname(&name) == 0 && !strcmp(name.nodename, "poppo") && sethostname("probe", 5) < 0);
}

/* A user namespace gives the tree another number, but outside it still is the supervisor's own user. */
static enum layer_state probe_uid(const struct probe *p)
{
        if (!getuid() || !geteuid() || setuid(0) == 0 || setgid(0) == 0)
                return LAYER_ABSENT;
        if (p->jail->user_namespace)
                return LAYER_ABSENT;
        return getgroups(0, NULL) == 0 ? LAYER_ENFORCED : LAYER_PARTIAL;
}

static enum layer_state probe_capabilities(const struct probe *p)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3] = {0};

        (void)p;
        if (syscall(SYS_capget, &head, has) < 0)
                return LAYER_PARTIAL;
        for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
                if (has[i].effective | has[i].permitted | has[i].inheritable)
                        return LAYER_ABSENT;
        for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
                if (prctl(PR_CAPBSET_READ, cap))
                        return LAYER_PARTIAL;
        return LAYER_ENFORCED;
}

static enum layer_state probe_no_new_privs(const struct probe *p)
{
        (void)p;
        return enforced_if(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

/* The jailer's, without a path. Where there are no such names at all nothing can be told. */
/* To somebody who listens outside, under a name that the kernel chose: nobody else can have taken it. */
static enum layer_state probe_scopes(const struct probe *p)
{
        int fd = p->listener_len ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
        bool refused = fd >= 0 && connect(fd, (const struct sockaddr *)&p->listener, p->listener_len) < 0 &&
                errno == EPERM;

        if (fd >= 0)
                close(fd);
        return enforced_if(refused);
}

static enum layer_state probe_rlimits(const struct probe *p)
{
        return jail_limits_hold(p->jail) ? LAYER_ENFORCED : LAYER_PARTIAL;
}

/* What a tree's group must notice, and refuse; the jailer sees whether it has. To run out of memory is not tried: each
 * worker's start would leave a page in the kernel's log. */
static enum layer_state probe_memory(const struct probe *p)
{
        char *shared = mmap(NULL, PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        (void)p;
        if (shared == MAP_FAILED)
                return LAYER_ABSENT;
        memset(shared, 1, PROBE_BYTES);
        munmap(shared, PROBE_BYTES);
        return LAYER_ENFORCED;
}

static enum layer_state probe_processes(const struct probe *p)
{
        pid_t pids[PROBE_FORKS];
        int n = 0, status;

        while (n < PROBE_FORKS && (pids[n] = fork()) >= 0) {
                if (!pids[n]) {
                        pause();
                        _exit(0);
                }
                n++;
        }
        for (int i = 0; i < n; i++) {
                kill(pids[i], SIGKILL);
                waitpid(pids[i], &status, 0);
        }
        if (n < PROBE_FORKS)
                return LAYER_ENFORCED;
        return jail_limits_hold(p->jail) ? LAYER_PARTIAL : LAYER_ABSENT;
}

static enum layer_state probe_time(const struct probe *p)
{
        (void)p;
        return LAYER_ENFORCED;
}

/* Without the filter these say something else. */
static enum layer_state probe_seccomp(const struct probe *p)
{
        if (!p->jail->spec.filter)
                return LAYER_ABSENT;
        if (unshare(CLONE_NEWUSER) == 0 || errno != EACCES)
                return LAYER_PARTIAL;
        return enforced_if(ioctl(STDIN_FILENO, TIOCSTI, "x") < 0 && errno == ENOSYS);
}

static int probe_all(void *arg)
{
        static enum layer_state (*const probes[JAIL_N_LAYERS])(const struct probe *) = {
#define X(name, probe) probe_##probe,
                JAIL_LAYERS(X)
#undef X
        };
        struct probe *p = arg;

        for (int i = 0; i < JAIL_N_LAYERS; i++)
                p->states[i] = probes[i](p);
        return 0;
}

/* Listens in the network that a tree would have, outside of the jail, until it is killed. The signal comes only for a death
 * from now on: one that was before shows in the parent's number. */
static _Noreturn void listen_outside(struct probe *p, pid_t parent, int ready)
{
        const sa_family_t any = AF_UNIX;
        socklen_t len = sizeof(p->listener);
        int fd;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
                _exit(1);
        if (!p->jail->spec.network && setns(p->jail->net, CLONE_NEWNET) < 0)
                _exit(1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 1) < 0 ||
                getsockname(fd, (struct sockaddr *)&p->listener, &len) < 0)
                _exit(1);
        p->listener_len = len;
        if (write(ready, "", 1) != 1)
                _exit(1);
        for (;;)
                pause();
}

/* 0 or negative: without it the layer counts as absent. */
static pid_t start_listener(struct probe *p)
{
        pid_t parent = getpid(), pid;
        int pipes[2];
        char byte;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return -1;
        pid = fork();
        if (!pid)
                listen_outside(p, parent, pipes[1]);
        close(pipes[1]);
        if (pid > 0 && read(pipes[0], &byte, 1) != 1) {
                waitpid(pid, NULL, 0);
                pid = -1;
        }
        close(pipes[0]);
        return pid;
}

/* Of what the probe took some may be made up for by pages that others left and the kernel takes back meanwhile.
 * Limits were read back when they were set, else the group does not count as there. Without it the limit of the tree's
 * user, which was read back in the tree, bounds the number of processes, and nothing the memory of all of them. */
static void judge_group(const struct jail *j, const struct jail_end *end, enum layer_state states[JAIL_N_LAYERS])
{
        enum layer_state *processes = &states[JAIL_LAYER_processes];

        if (!jail_group_has(j, CGROUP_MEMORY) || !j->spec.tree_memory_bytes || end->peak_bytes < PROBE_BYTES / 2)
                states[JAIL_LAYER_memory] = LAYER_ABSENT;
        if (!j->spec.processes)
                *processes = LAYER_ABSENT;
        else if (!jail_group_has(j, CGROUP_PIDS) && *processes == LAYER_PARTIAL)
                *processes = LAYER_ENFORCED;
        else if (*processes == LAYER_ENFORCED && !end->refused_forks)
                *processes = LAYER_PARTIAL;
        if (!jail_group_has(j, CGROUP_TIME) || !end->cpu_us)
                states[JAIL_LAYER_time] = LAYER_ABSENT;
}

static int run(struct jail *j, struct probe *p)
{
        struct jail_command command = {.fds = {-1, -1, -1}, .n_fds = 3, .call = probe_all, .arg = p};
        struct jail_tree tree;
        struct jail_end end;
        int r = jail_tree_open(j, &tree);

        if (r)
                return r;
        jail_group_narrow(j, true);
        r = jail_tree_start(&tree, &command);
        if (!r)
                r = jail_tree_wait(&tree, &end);
        jail_group_narrow(j, false);
        if (!r)
                judge_group(j, &end, p->states);
        if (!r && (end.how != JAIL_RAN || !WIFEXITED(end.status) || WEXITSTATUS(end.status)))
                r = jail_fail(j, end.error ? end.error : -EPROTO, *end.what ? end.what : "the probe");
        jail_tree_close(&tree);
        return r;
}

int jail_probe(struct jail *j, enum layer_state states[JAIL_N_LAYERS])
{
        struct probe *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        pid_t listener;
        int r;

        if (p == MAP_FAILED)
                return jail_fail(j, -errno, "the probe");
        *p = (struct probe){.jail = j, .jailer = getpid()};
        listener = start_listener(p);
        r = run(j, p);
        if (listener > 0) {
                kill(listener, SIGKILL);
                waitpid(listener, NULL, 0);
        }
        memcpy(states, p->states, sizeof(p->states));
        munmap(p, sizeof(*p));
        return r;
}
