/* See jailer.h. */
#include "jailer.h"
#include "leave_out.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

enum { NOBODY_ID = 65534 };

static char *const environment[] = {(char *)"PATH=" JAIL_PATH, (char *)"HOME=" JAIL_HOME, NULL};

struct visit *visit_new(enum who who)
{
        struct visit *v = mmap(NULL, sizeof(*v), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert_ptr_not_equal(v, MAP_FAILED);
        v->who = who;
        v->spec = (struct jail_spec){.uid = jail_uid(getpid(), 7),
                .disk_bytes = 8 << 20,
                .disk_files = 1000,
                .memory_bytes = 256 << 20,
                .processes = 32,
                .descriptors = 64};
        v->command.envp = environment;
        return v;
}

void visit_free(struct visit *v)
{
        munmap(v, sizeof(*v));
}

bool visit_possible(const struct visit *v)
{
        if (v->who == NOBODY || geteuid() == 0)
                return true;
        print_message("# left out as root: this test is not run by root\n");
        return false;
}

static void write_map(pid_t pid, const char *name)
{
        char path[64];
        int fd;

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "0 0 65536", 9) != 9)
                _exit(1);
        close(fd);
}

/* The maps must be written from outside. */
static void contain(void)
{
        pid_t parent = getpid(), writer;
        int pipes[2], status;
        char byte;

        if (pipe2(pipes, O_CLOEXEC) < 0 || (writer = fork()) < 0)
                _exit(1);
        if (!writer) {
                if (read(pipes[0], &byte, 1) != 1)
                        _exit(1);
                write_map(parent, "uid_map");
                write_map(parent, "gid_map");
                _exit(0);
        }
        if (unshare(CLONE_NEWUSER) < 0 || write(pipes[1], "", 1) != 1 ||
                waitpid(writer, &status, 0) != writer || status || setresuid(0, 0, 0) < 0)
                _exit(1);
        close(pipes[0]);
        close(pipes[1]);
}

static void become(enum who who)
{
        if (who == CONTAINED)
                contain();
        if (who == NOBODY && geteuid() == 0 &&
                (setgroups(0, NULL) < 0 || setresgid(NOBODY_ID, NOBODY_ID, NOBODY_ID) < 0 ||
                        setresuid(NOBODY_ID, NOBODY_ID, NOBODY_ID) < 0))
                _exit(1);
}

static void collect(struct visit *v, int from, int until)
{
        struct pollfd fds[] = {{.fd = from, .events = POLLIN}, {.fd = until, .events = POLLIN}};
        ssize_t n = 1;

        v->out_len = 0;
        while (n > 0) {
                char spill[4096];

                poll(fds, 2, -1);
                if (!fds[0].revents && fds[1].revents)
                        break;
                n = read(from, spill, sizeof(spill));
                for (ssize_t i = 0; i < n && v->out_len < sizeof(v->out) - 1; i++)
                        v->out[v->out_len++] = spill[i];
        }
        v->out[v->out_len] = '\0';
}

static void run_tree(struct visit *v, struct jail *j)
{
        struct jail_tree t;
        int pipes[2];

        if ((v->error = jail_tree_open(j, &t)) || pipe2(pipes, O_CLOEXEC) < 0)
                return;
        if (v->before)
                v->before(&t);
        v->command.fds[0] = -1;
        v->command.fds[1] = v->command.fds[2] = pipes[1];
        v->command.n_fds = v->command.n_fds > 3 ? v->command.n_fds : 3;
        v->error = jail_tree_start(&t, &v->command);
        close(pipes[1]);
        if (!v->error) {
                if (v->during)
                        v->during(&t);
                collect(v, pipes[0], t.pidfd);
                v->error = jail_tree_wait(&t, &v->end);
        }
        close(pipes[0]);
        if (v->after)
                v->after(&t);
        jail_tree_close(&t);
}

static void be_jailer(struct visit *v)
{
        struct jail j;

        become(v->who);
        /* As a worker may be. */
        umask(077);
        prctl(PR_SET_DUMPABLE, 0);
        jail_init(&j);
        v->error = jail_open(&j, &v->spec);
        for (int i = 0; !v->error && (v->command.argv || v->command.call) && i < (v->times ? v->times : 1);
                i++)
                run_tree(v, &j);
        if (!v->error && v->opened)
                v->opened(&j);
        memcpy(v->fault, j.fault, sizeof(v->fault));
        jail_fini(&j);
}

void visit_run(struct visit *v)
{
        pid_t pid;

        /* An init whose jailer died comes here: it counts as a process of its user until it is reaped. */
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
                be_jailer(v);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &v->status, 0), pid);
        while (waitpid(-1, NULL, 0) > 0) {
        }
}

const char *visit_shell(struct visit *v, const char *script)
{
        char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)script, NULL};

        v->command.argv = argv;
        visit_run(v);
        v->command.argv = NULL;
        if (v->status || v->error || v->end.how != JAIL_RAN)
                fail_msg("%s: jailer %x, error %d, %s; end %d, %s: %d", script, v->status, v->error, v->fault,
                        v->end.how, v->end.what, v->end.error);
        return v->out;
}
