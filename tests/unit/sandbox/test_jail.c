/* What a process tree in a jail finds, can and cannot do; every case as root and as an ordinary user. */
#include "jailer.h"
#include "leave_out.h"
#include "sandbox/instrument.h"
#include "sandbox/jail_probe.h"
#include "sandbox/landlock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void assert_says(struct visit *v, const char *script, const char *out)
{
        const char *said = visit_shell(v, script);

        if (strcmp(said, out))
                fail_msg("%s\nsays: %s\nnot: %s", script, said, out);
}

static int exit_code(const struct visit *v)
{
        assert_true(WIFEXITED(v->end.status));
        return WEXITSTATUS(v->end.status);
}

/* ---- its root ---- */

static void the_root_holds_the_system_and_one_private_directory(void **state)
{
        struct visit *v = *state;

        assert_says(v,
                "cd /; ls -d bin dev etc home lib proc root run task tmp usr var work 2>/dev/null | tr '\\n' "
                "' '",
                "bin dev etc lib proc run task tmp usr var ");
        assert_says(v, "ls /dev | tr '\\n' ' '", "fd full null random shm stderr stdin stdout urandom zero ");
        assert_says(v, "pwd; ls -a; cd; pwd; cd /tmp; pwd -P",
                JAIL_WORK "\n.\n..\n" JAIL_HOME "\n" JAIL_TMP "\n");
        assert_says(v, "cat /etc/shadow /etc/sudoers /root/.profile 2>/dev/null | wc -c", "0\n");
}

static void nothing_can_be_written_outside_of_the_private_directory(void **state)
{
        struct visit *v = *state;

        assert_says(v,
                "for d in / /etc /usr /usr/bin /dev /proc /var /run /below; do touch $d/x 2>/dev/null && "
                "echo $d; done;"
                "for f in /proc/sys/kernel/hostname /proc/self/oom_score_adj /etc/passwd /usr/bin/env; do"
                "  (echo x > $f) 2>/dev/null && echo $f; chmod 777 $f 2>/dev/null && echo $f; done;"
                "for d in . /task/home /tmp /var/tmp /dev/shm; do touch $d/x || echo $d; done",
                "");
}

static void the_private_directory_has_a_size(void **state)
{
        struct visit *v = *state;

        assert_says(v,
                "head -c 7M /dev/zero > a && head -c 2M /dev/zero > /tmp/b 2>/dev/null; stat -c %s a; echo "
                "$?;"
                "rm a; i=0; seq 1 2000 | xargs touch 2>/dev/null; [ $(ls | wc -l) -lt 1000 ] && echo bounded",
                "7340032\n0\nbounded\n");
}

static void a_tree_finds_nothing_of_the_one_before(void **state)
{
        struct visit *v = *state;

        v->times = 2;
        assert_says(v,
                "ls /task/*; touch here ~/there /tmp/everywhere; ipcmk -M 100 >/dev/null; ipcs -m | grep -c "
                "'^0x'",
                "/task/home:\n\n/task/tmp:\n\n/task/work:\n1\n");
}

static void paths_are_shown_read_only_at_their_place(void **state)
{
        static const char *paths[] = {NULL, NULL, "/etc/debian_version", "/usr/share/misc", NULL};
        char dir[] = "/tmp/poppo-jail-XXXXXX", other[] = "/var/tmp/poppo-jail-XXXXXX", file[64], script[512];
        struct visit *v = *state;
        FILE *f;

        assert_non_null(mkdtemp(dir));
        assert_non_null(mkdtemp(other));
        assert_int_equal(chmod(dir, 0777) | chmod(other, 0777), 0);
        snprintf(file, sizeof(file), "%s/told", dir);
        f = fopen(file, "w");
        assert_non_null(f);
        fputs("yes", f);
        fclose(f);
        paths[0] = dir;
        paths[1] = other;
        v->spec.paths = paths;
        snprintf(script, sizeof(script),
                "cat %s/told; touch %s/x 2>/dev/null && echo written; cd %s && touch x 2>/dev/null && echo "
                "written;"
                "touch /tmp/mine && echo mine",
                dir, dir, other);
        assert_says(v, script, "yesmine\n");
        unlink(file);
        assert_int_equal(rmdir(dir) | rmdir(other), 0);
}

static void what_cannot_be_shown_is_said(void **state)
{
        static const struct {
                const char *path, *fault;
        } faults[] = {{"/no/such", "/no/such: No such file or directory"}, {"/", "/: Invalid argument"},
                {"/proc/1", "/proc/1: Invalid argument"}, {"relative", "relative: Invalid argument"},
                {"/usr/../root", "/usr/../root: Invalid argument"}, {"/dev", "/dev: Invalid argument"}};
        struct visit *v = *state;

        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
                const char *paths[] = {faults[i].path, NULL};

                v->spec.paths = paths;
                visit_run(v);
                assert_true(v->error < 0);
                assert_string_equal(v->fault, faults[i].fault);
        }
}

/* ---- its processes ---- */

static void a_tree_sees_only_itself(void **state)
{
        struct visit *v = *state;

        assert_says(v, "sleep 100 & set -- /proc/[0-9]*; echo $#; cat /proc/1/status 2>/dev/null; kill -9 1 2>/dev/null",
                "2\n");
        /* What it kills are its own; its init lives on to say so. */
        assert_says(v, "sleep 100 & kill -9 -1; wait; echo survived", "survived\n");
}

static void the_end_is_told_as_it_was(void **state)
{
        struct visit *v = *state;

        visit_shell(v, "exit 42");
        assert_int_equal(exit_code(v), 42);
        visit_shell(v, "kill -SEGV $$");
        assert_int_equal(v->end.status & 0x7f, SIGSEGV);
}

static void what_cannot_be_run_is_said(void **state)
{
        static const struct {
                const char *name;
                int error;
        } all[] = {
                {"no-such-program", -ENOENT}, {"/etc/passwd", -EACCES}, {"/no/such", -ENOENT}, {"", -ENOENT}};
        struct visit *v = *state;

        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
                char *argv[] = {(char *)all[i].name, NULL};

                v->command.argv = argv;
                visit_run(v);
                assert_int_equal(v->end.how, JAIL_NOT_FOUND);
                assert_int_equal(v->end.error, all[i].error);
        }
        v->command.cwd = "/no/such";
        visit_run(v);
        assert_int_equal(v->end.how, JAIL_NOT_STARTED);
        assert_string_equal(v->end.what, "the command's directory");
}

/* All sleep in sessions of their own, ignore what can be ignored, and hold the output open. */
static const char stubborn[] =
        "trap '' TERM HUP INT; for i in 1 2 3 4 5 6 7 8 9 10; do setsid sh -c 'sleep 1000 & wait' & done; "
        "while [ $(ls -d /proc/[0-9]* | wc -l) -lt 22 ]; do :; done; ";

static void everything_ends_with_the_command(void **state)
{
        struct visit *v = *state;
        char script[512];

        snprintf(script, sizeof(script), "%s echo done", stubborn);
        assert_says(v, script, "done\n");
}

static void kill_jailer(struct jail_tree *t)
{
        (void)t;
        usleep(300 * 1000);
        raise(SIGKILL);
}

/* The pipe is held by every process of the tree and by nobody else. */
static void everything_ends_with_the_jailer(void **state)
{
        char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)stubborn, NULL};
        struct visit *v = *state;
        struct pollfd left = {.events = POLLIN};
        int pipes[2];
        char byte;

        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        v->command.fds[3] = pipes[1];
        v->command.n_fds = 4;
        v->command.argv = argv;
        v->during = kill_jailer;
        visit_run(v);
        close(pipes[1]);
        assert_int_equal(v->status, SIGKILL);
        left.fd = pipes[0];
        assert_int_equal(poll(&left, 1, 10000), 1);
        assert_int_equal(read(pipes[0], &byte, 1), 0);
        close(pipes[0]);
}

static void stop_soon(struct jail_tree *t)
{
        usleep(300 * 1000);
        jail_tree_stop(t);
}

static void a_stopped_tree_is_counted(void **state)
{
        struct visit *v = *state;

        v->during = stop_soon;
        visit_shell(v, "(while :; do :; done) & while :; do :; done");
        assert_int_equal(v->end.status & 0x7f, SIGKILL);
        assert_true(v->end.cpu_us > 20 * 1000);
}

static void kill_at_once(struct jail_tree *t)
{
        jail_tree_kill(t);
}

static void a_killed_tree_is_gone_without_a_word(void **state)
{
        struct visit *v = *state;
        char *argv[] = {(char *)"/bin/sleep", (char *)"1000", NULL};

        v->command.argv = argv;
        v->during = kill_at_once;
        visit_run(v);
        assert_int_equal(v->error, 0);
        assert_int_equal(v->end.how, JAIL_UNKNOWN);
}

/* ---- who it is ---- */

static void it_has_no_privileges(void **state)
{
        struct visit *v = *state;

        assert_says(v, "grep -E '^(Cap|NoNewPrivs)' /proc/self/status | tr -d '\\t\\n'",
                "CapInh:0000000000000000CapPrm:0000000000000000CapEff:0000000000000000CapBnd:0000000000000000"
                "CapAmb:0000000000000000NoNewPrivs:1");
        assert_says(v,
                "id -un; id -Gn; [ $(id -u) != 0 ]; echo $?; hostname; cut -d: -f3 /proc/self/cgroup | sort "
                "-u",
                "task\ntask\n0\npoppo\n/\n");
}

static int descriptors(void *arg)
{
        struct visit *v = arg;

        for (int fd = 0; fd < 1024; fd++)
                if (fcntl(fd, F_GETFD) >= 0)
                        v->said[0] |= INT64_C(1) << (fd < 63 ? fd : 63);
        return 7;
}

static void it_has_the_descriptors_that_it_was_given(void **state)
{
        struct visit *v = *state;

        for (int fd = 40; fd < 45; fd++)
                dup2(STDERR_FILENO, fd);
        v->command.fds[3] = STDERR_FILENO;
        v->command.n_fds = 4;
        v->command.call = descriptors;
        v->command.arg = v;
        visit_run(v);
        for (int fd = 40; fd < 45; fd++)
                close(fd);
        assert_int_equal(v->end.how, JAIL_RAN);
        assert_int_equal(exit_code(v), 7);
        assert_int_equal(v->said[0], 0xf);
}

static int count_forks(void *arg)
{
        struct visit *v = arg;

        for (; v->said[0] < 1000; v->said[0]++) {
                pid_t pid = fork();

                if (pid < 0)
                        return errno;
                if (!pid)
                        pause();
        }
        return 0;
}

static void a_tree_has_a_number_of_processes(void **state)
{
        struct visit *v = *state;

        v->command.call = count_forks;
        v->command.arg = v;
        visit_run(v);
        assert_int_equal(exit_code(v), EAGAIN);
        assert_int_equal(v->said[0], v->spec.processes - 1);
}

static void reopen(struct jail_tree *t)
{
        static const char *const paths[] = {"/var/lib/dpkg", NULL};
        struct jail_spec spec = t->jail->spec;

        spec.paths = paths;
        spec.network = true;
        /* The tree is made in the root of the second time. */
        if (jail_open(t->jail, &spec))
                _exit(1);
}

static void a_container_with_few_users_is_enough(void **state)
{
        struct visit *v = *state;

        assert_says(v, "id -u | cut -c1; [ $(id -u) -lt 65536 ]; echo $?; id -un", "5\n0\ntask\n");
        v->before = reopen;
        assert_says(v, "ls /var/lib", "dpkg\n");
}

/* ---- its network ---- */

static int listener(uint16_t *port)
{
        struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(here);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *)&here, len) | listen(fd, 5), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&here, &len), 0);
        *port = here.sin_port;
        return fd;
}

static int try_connect(void *arg)
{
        struct visit *v = arg;
        struct sockaddr_in there = {.sin_family = AF_INET,
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                .sin_port = (in_port_t)v->said[0]};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return connect(fd, (struct sockaddr *)&there, sizeof(there)) < 0 ? errno : 0;
}

static void the_machines_network_is_there_only_if_allowed(void **state)
{
        struct visit *v = *state;
        uint16_t port;
        int fd = listener(&port);

        v->said[0] = port;
        v->command.call = try_connect;
        v->command.arg = v;
        visit_run(v);
        assert_int_equal(exit_code(v), ECONNREFUSED);
        v->spec.network = true;
        visit_run(v);
        assert_int_equal(exit_code(v), 0);
        close(fd);
}

/* ---- a jail that is opened again ---- */

static void a_jail_is_opened_again_with_other_paths(void **state)
{
        struct visit *v = *state;

        v->before = reopen;
        assert_says(v, "ls /var/lib; ls /etc/resolv.conf", "dpkg\n/etc/resolv.conf\n");
}

/* ---- the system call filter ---- */

static void the_filter_of_the_profile_holds(void **state)
{
        struct visit *v = *state;

        if (!v->spec.filter)
                return leave_out("valgrind knows no seccomp(2)");
        assert_says(v, "grep -E '^Seccomp:' /proc/self/status | tr -d '\\t\\n'", "Seccomp:2");
        assert_says(v,
                "unshare -U true 2>/dev/null || mount -t tmpfs x /task/work 2>/dev/null || echo neither",
                "neither\n");
}

static const struct {
        enum profile profile;
        const char *argv[4], *out;
} starts[] = {
        {PROFILE_JS, {"/bin/sh", "-c", "echo $((6 * 7))"}, "42\n"},
        {PROFILE_JS, {"python3", "-c", "import json, time; time.sleep(0.01); print(json.dumps([6 * 7]))"},
                "[42]\n"},
        {PROFILE_JS, {"perl", "-e", "print 6 * 7"}, "42"},
        {PROFILE_HTTP, {"/bin/sh", "-c", "echo $((6 * 7))"}, "42\n"},
        {PROFILE_HTTP, {"python3", "-c", "import socket; print(socket.AF_INET)"}, "2\n"},
        /* What it may not do ends it, or is refused: never done. */
        {PROFILE_JS, {"python3", "-c", "import os; os.fork(); print('DONE')"}, ""},
        {PROFILE_JS, {"python3", "-c", "import socket; socket.socket(); print('DONE')"}, ""},
        {PROFILE_JS, {"/bin/sh", "-c", "echo DONE > /task/work/x; cat /task/work/x"}, ""},
};

static void programs_start_under_the_profiles_of_workers(void **state)
{
        struct visit *v = *state;

        if (!v->spec.filter)
                return leave_out("valgrind knows no seccomp(2)");
        for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
                struct filter filter;

                assert_int_equal(filter_build(&filter, starts[i].profile, true), 0);
                v->spec.filter = &filter;
                v->command.argv = (char *const *)starts[i].argv;
                visit_run(v);
                filter_fini(&filter);
                assert_int_equal(v->end.how, JAIL_RAN);
                if (strcmp(v->out, starts[i].out) && (*starts[i].out || strstr(v->out, "DONE")))
                        fail_msg("%s %s says: %s (status %x)", starts[i].argv[0], starts[i].argv[2], v->out,
                                v->end.status);
        }
}

/* ---- what is said of it ---- */

static struct visit *probed;

static void probe(struct jail *j)
{
        enum layer_state states[JAIL_N_LAYERS];

        if (jail_probe(j, states))
                _exit(1);
        for (int i = 0; i < JAIL_N_LAYERS; i++)
                probed->said[i] = states[i];
}

static void assert_layers(struct visit *v, enum jail_layer but, enum layer_state state)
{
        probed = v;
        v->opened = probe;
        visit_run(v);
        assert_int_equal(v->status, 0);
        for (int i = 0; i < JAIL_N_LAYERS; i++) {
                enum layer_state expected = LAYER_ENFORCED;

                /* No group was handed over: see test_jail_group.c. */
                if (i == JAIL_LAYER_memory || i == JAIL_LAYER_time || (i == JAIL_LAYER_uid && v->who == NOBODY))
                        expected = LAYER_ABSENT;
                if (i == JAIL_LAYER_seccomp && !v->spec.filter)
                        expected = LAYER_ABSENT;
                /* A kernel that is older than its scopes. */
                if (i == JAIL_LAYER_scopes && v->said[i] == LAYER_ABSENT && landlock_confine_sockets() < 0)
                        expected = LAYER_ABSENT;
                if (i == (int)but)
                        expected = state;
                if (v->said[i] != expected)
                        fail_msg("%s is %s", jail_layer_names[i], layer_words[v->said[i]]);
        }
}

static void every_layer_is_probed(void **state)
{
        struct visit *v = *state;

        assert_layers(v, JAIL_N_LAYERS, LAYER_ENFORCED);
        v->spec.network = true;
        assert_layers(v, JAIL_LAYER_net, LAYER_ABSENT);
}

/* The machine's root, as far as it can be had as a path. */
static void a_layer_with_a_hole_is_no_longer_enforced(void **state)
{
        static const char *const paths[] = {"/boot", NULL};
        struct visit *v = *state;

        v->spec.paths = paths;
        assert_layers(v, JAIL_LAYER_root, LAYER_PARTIAL);
        v->spec.paths = NULL;
        v->spec.filter = NULL;
        assert_layers(v, JAIL_LAYER_seccomp, LAYER_ABSENT);
}

static struct filter shell_filter;

static int open_visit(void **state)
{
        struct visit *v = visit_new(*(const enum who *)*state);

        v->spec.filter = shell_filter.len ? &shell_filter : NULL;
        *state = v;
        return 0;
}

static int build_filter(void **state)
{
        (void)state;
        return RUNNING_ON_VALGRIND ? 0 : filter_build(&shell_filter, PROFILE_SHELL, false);
}

static int discard_filter(void **state)
{
        (void)state;
        filter_fini(&shell_filter);
        return 0;
}

static int close_visit(void **state)
{
        visit_free(*state);
        return 0;
}

static const enum who root = ROOT, nobody = NOBODY, contained = CONTAINED;

#define BOTH(test)                                                                                           \
        {#test "_as_root", test, open_visit, close_visit, (void *)&root},                                    \
        {                                                                                                    \
#test "_as_nobody", test, open_visit, close_visit, (void *)&nobody                           \
        }

int main(void)
{
        const struct CMUnitTest tests[] = {
                BOTH(the_root_holds_the_system_and_one_private_directory),
                BOTH(nothing_can_be_written_outside_of_the_private_directory),
                BOTH(the_private_directory_has_a_size),
                BOTH(a_tree_finds_nothing_of_the_one_before),
                BOTH(paths_are_shown_read_only_at_their_place),
                BOTH(what_cannot_be_shown_is_said),
                BOTH(a_tree_sees_only_itself),
                BOTH(the_end_is_told_as_it_was),
                BOTH(what_cannot_be_run_is_said),
                BOTH(everything_ends_with_the_command),
                BOTH(everything_ends_with_the_jailer),
                BOTH(a_stopped_tree_is_counted),
                BOTH(a_killed_tree_is_gone_without_a_word),
                BOTH(it_has_no_privileges),
                BOTH(it_has_the_descriptors_that_it_was_given),
                BOTH(a_tree_has_a_number_of_processes),
                BOTH(the_machines_network_is_there_only_if_allowed),
                BOTH(a_jail_is_opened_again_with_other_paths),
                {"a_container_with_few_users_is_enough", a_container_with_few_users_is_enough, open_visit,
                        close_visit, (void *)&contained},
                BOTH(every_layer_is_probed),
                BOTH(a_layer_with_a_hole_is_no_longer_enforced),
                BOTH(the_filter_of_the_profile_holds),
                BOTH(programs_start_under_the_profiles_of_workers),
        };

        return cmocka_run_group_tests_name("jail", tests, build_filter, discard_filter);
}
