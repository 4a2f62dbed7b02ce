/* Control groups: version 1 for real, where there is one; version 2 also in a directory that plays its part.
 */
#include "leave_out.h"
#include "sandbox/cgroup_private.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)

enum { PATH_BYTES = 512, TEXT_BYTES = 4096, LIMIT_MIB = 16 };

static char base[64]; /* a directory of our own in /tmp */

/* ---- files ---- */

static const char *path_of(const char *name)
{
        static char paths[4][2 * PATH_BYTES];
        static unsigned int next;
        char *path = paths[next++ % 4];

        snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
        return path;
}

static void put(const char *name, const char *text)
{
        int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        close(fd);
}

static void put_dir(const char *name)
{
        assert_int_equal(mkdir(path_of(name), 0700), 0);
}

static const char *get(const char *name)
{
        static char text[TEXT_BYTES];
        int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, text, sizeof(text) - 1);

        close(fd);
        text[n < 0 ? 0 : n] = '\0';
        return text;
}

static bool is_there(const char *name)
{
        return access(path_of(name), F_OK) == 0;
}

static int set_up(void **state)
{
        (void)state;
        strcpy(base, "/tmp/poppo-cgroup-XXXXXX");
        return mkdtemp(base) ? 0 : -1;
}

static int tear_down(void **state)
{
        char command[128];

        (void)state;
        snprintf(command, sizeof(command), "rm -rf %s", base);
        return system(command);
}

/* ---- where we are ---- */

static struct cgroup_place places[CGROUP_PARTS];

static void locate(const char *groups, const char *mounts)
{
        put("groups", groups);
        put("mounts", mounts);
        assert_int_equal(cgroup_locate(path_of("groups"), path_of("mounts"), places), 0);
}

static void assert_place(enum cgroup_part part, int version, const char *path)
{
        assert_int_equal(places[part].version, version);
        if (version)
                assert_string_equal(places[part].path, path);
}

static void version_2_has_one_place_for_all_parts(void **state)
{
        (void)state;
        locate("0::/system.slice/poppod.service\n",
                "24 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
                "30 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev - cgroup2 cgroup2 rw,nsdelegate\n");
        for (int p = 0; p < CGROUP_PARTS; p++)
                assert_place((enum cgroup_part)p, 2, "/sys/fs/cgroup/system.slice/poppod.service");
        assert_false(places[CGROUP_MEMORY].read_only);
}

static void hybrid_machines_have_controllers_in_version_1(void **state)
{
        (void)state;
        locate("5:cpu,cpuacct:/a\n4:memory:/b/c\n0::/u\n",
                "33 31 0:29 / /cg/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
                "34 31 0:30 / /cg/memory rw shared:10 master:1 - cgroup cgroup rw,memory\n"
                "35 31 0:31 / /cg/unified rw - cgroup2 cgroup2 rw\n");
        assert_place(CGROUP_MEMORY, 1, "/cg/memory/b/c");
        assert_place(CGROUP_CPU, 1, "/cg/cpu,cpuacct/a");
        /* No hierarchy of version 1 has it; whether version 2 does is said by its files. */
        assert_place(CGROUP_PIDS, 2, "/cg/unified/u");
        assert_place(CGROUP_TIME, 2, "/cg/unified/u");
        assert_place(CGROUP_KILL, 2, "/cg/unified/u");
}

static void version_1_alone_counts_time_and_cannot_kill(void **state)
{
        (void)state;
        locate("2:cpuacct:/x\n1:pids:/\n", "1 0 0:1 / /cg/acct rw - cgroup cgroup rw,cpuacct\n"
                                           "2 0 0:2 / /cg/pids rw - cgroup none rw,pids\n");
        assert_place(CGROUP_TIME, 1, "/cg/acct/x");
        assert_place(CGROUP_PIDS, 1, "/cg/pids/");
        assert_place(CGROUP_KILL, 0, NULL);
        assert_place(CGROUP_MEMORY, 0, NULL);
}

static void a_mount_may_show_a_part_of_the_hierarchy(void **state)
{
        (void)state;
        locate("3:memory:/docker/abc/inner\n2:pids:/elsewhere\n0::/../../out\n",
                "1 0 0:1 /docker/abc /cg/memory rw - cgroup cgroup rw,memory\n"
                "2 0 0:2 /docker/abc /cg/pids rw - cgroup cgroup rw,pids\n"
                "3 0 0:3 / /cg/unified rw - cgroup2 cgroup2 rw\n");
        assert_place(CGROUP_MEMORY, 1, "/cg/memory/inner");
        assert_place(CGROUP_PIDS, 0, NULL);
        assert_place(CGROUP_KILL, 0, NULL);
}

static void places_with_spaces_and_read_only_ones_are_known(void **state)
{
        (void)state;
        locate("3:memory:/\n2:pids:/\n", "1 0 0:1 / /my\\040groups/memory rw - cgroup cgroup rw,memory\n"
                                         "2 0 0:2 / /cg/pids ro,nosuid - cgroup cgroup rw,pids\n"
                                         "a line that is none\n- -\n");
        assert_place(CGROUP_MEMORY, 1, "/my groups/memory/");
        assert_true(places[CGROUP_PIDS].read_only);
}

/* ---- version 2, in a directory that plays its part ---- */

static struct cgroup_host host;

/* The kernel makes the files of a new group; here they are laid out before. */
static void put_group(const char *name)
{
        static const char *const files[] = {"cgroup.procs", "cgroup.subtree_control", "cgroup.type",
                "cgroup.kill", "memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.max"};
        char path[PATH_BYTES / 2];

        put_dir(name);
        for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
                snprintf(path, sizeof(path), "%s/%s", name, files[i]);
                put(path, "");
        }
}

static const char *own_name(const char *below)
{
        static char name[2][PATH_BYTES / 2];
        static unsigned int next;
        char *to = name[next++ % 2];

        snprintf(to, sizeof(name[0]), "g/%s%s", host.name, below);
        return to;
}

/* A group that poppod, which is this process, is alone in, or not. */
static void open_v2(const char *controllers, pid_t also)
{
        char text[PATH_BYTES];

        put_group("g");
        put("g/cgroup.controllers", controllers);
        snprintf(text, sizeof(text), also ? "%d\n%d\n" : "%d\n", getpid(), also);
        put("g/cgroup.procs", text);
        put("groups", "0::/g\n");
        snprintf(text, sizeof(text), "1 0 0:1 / %s rw - cgroup2 cgroup2 rw\n", base);
        put("mounts", text);
        /* Its name is known when it was opened once. */
        cgroup_host_open_at(&host, getpid(), path_of("mounts"), path_of("mounts"));
        put_group(own_name(""));
        put_group(own_name("/supervisor"));
        cgroup_host_open_at(&host, getpid(), path_of("groups"), path_of("mounts"));
}

static void version_2_moves_its_own_processes_down_and_hands_controllers_on(void **state)
{
        char pid[16];

        (void)state;
        open_v2("cpuset cpu io memory pids\n", 0);
        for (int p = 0; p < CGROUP_PARTS; p++)
                assert_null(cgroup_why(&host, (enum cgroup_part)p));
        snprintf(pid, sizeof(pid), "%d", getpid());
        assert_string_equal(get(own_name("/supervisor/cgroup.procs")), pid);
        /* Each write is one controller; the last one is left in a file that is no kernel's. */
        assert_memory_equal(get("g/cgroup.subtree_control"), "+cpu", 4);
        assert_memory_equal(get(own_name("/cgroup.subtree_control")), "+cpu", 4);
        assert_true(cgroup_has_birth(&host));
        cgroup_host_close(&host);
        assert_string_equal(get("g/cgroup.procs") + strlen(pid), "\n");
        assert_memory_equal(get("g/cgroup.subtree_control"), "-cpu", 4);
}

static void a_process_of_somebody_elses_is_named_with_the_cure(void **state)
{
        char wanted[64];

        (void)state;
        open_v2("cpu memory pids\n", 1);
        snprintf(wanted, sizeof(wanted), "process 1 shares poppod's control group");
        assert_non_null(strstr(cgroup_why(&host, CGROUP_MEMORY), wanted));
        assert_non_null(strstr(cgroup_why(&host, CGROUP_MEMORY), "Delegate=yes"));
        assert_int_equal(host.base.dirs[CGROUP_MEMORY], -1);
        /* What needs no controller is there all the same. */
        assert_null(cgroup_why(&host, CGROUP_TIME));
        cgroup_host_close(&host);
}

static void a_controller_that_was_not_handed_down_is_named(void **state)
{
        (void)state;
        open_v2("cpu pids\n", 0);
        assert_non_null(strstr(cgroup_why(&host, CGROUP_MEMORY), "the memory controller is not handed down"));
        assert_null(cgroup_why(&host, CGROUP_PIDS));
        cgroup_host_close(&host);
}

static void limits_are_written_and_read_back(void **state)
{
        struct cgroup *g = &host.base;

        (void)state;
        open_v2("cpu memory pids\n", 0);
        assert_int_equal(cgroup_limit_memory(&host, g, 8 * MIB), 0);
        assert_string_equal(get(own_name("/memory.max")), "8388608");
        assert_string_equal(get(own_name("/memory.swap.max")), "0");
        assert_int_equal(cgroup_limit_pids(&host, g, 17), 0);
        assert_string_equal(get(own_name("/pids.max")), "17");
        assert_int_equal(cgroup_limit_cpu(&host, g, 1500000), 0);
        assert_string_equal(get(own_name("/cpu.max")), "150000 100000");
        assert_int_equal(cgroup_limit_cpu(&host, g, CGROUP_UNLIMITED), 0);
        assert_int_equal(cgroup_die_together(&host, g), 0);
        assert_true(cgroup_kill(g));
        assert_string_equal(get(own_name("/cgroup.kill")), "1");
        /* One that takes what is written and says something else. */
        assert_int_equal(unlink(path_of(own_name("/pids.max"))), 0);
        assert_int_equal(symlink("/dev/null", path_of(own_name("/pids.max"))), 0);
        assert_true(cgroup_limit_pids(&host, g, 17) < 0);
        cgroup_host_close(&host);
}

static void counters_of_version_2_are_read(void **state)
{
        struct cgroup_usage u;

        (void)state;
        open_v2("cpu memory pids\n", 0);
        put(own_name("/cpu.stat"), "usage_usec 1234567\nuser_usec 1\nsystem_usec 2\n");
        put(own_name("/memory.current"), "4096\n");
        put(own_name("/memory.peak"), "8192\n");
        put(own_name("/memory.events"), "low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\noom_group_kill 1\n");
        put(own_name("/pids.events"), "max 5\n");
        cgroup_read(&host, &host.base, &u);
        assert_int_equal(u.cpu_us, 1234567);
        assert_int_equal(u.memory, 4096);
        assert_int_equal(u.peak, 8192);
        assert_int_equal(u.oom_kills, 3);
        assert_int_equal(u.refused_forks, 5);
        /* The peak cannot begin anew, so whoever asks makes a new group. */
        assert_false(cgroup_reset(&host, &host.base));
        cgroup_host_close(&host);
}

/* The names are all that tells; what lives is this process, and one that has ended. */
static void what_dead_supervisors_left_is_removed_and_nothing_else(void **state)
{
        unsigned long long start, ns;
        char orphan[64], old[64], foreign[64];
        int pid;

        (void)state;
        open_v2("cpu memory pids\n", 0);
        assert_int_equal(sscanf(host.name, "poppo-%d-%llu-%llu", &pid, &start, &ns), 3);
        assert_int_equal(pid, getpid());
        snprintf(orphan, sizeof(orphan), "g/poppo-%d-%llu-%llu", 0x3fffff, start, ns);
        snprintf(old, sizeof(old), "g/poppo-%d-%llu-%llu", pid, start - 1, ns);
        snprintf(foreign, sizeof(foreign), "g/poppo-%d-%llu-%llu", 0x3fffff, start, ns + 1);
        put_dir(orphan);
        put_dir(old);
        put_dir(foreign);
        put_dir("g/poppo-friend");
        cgroup_host_open_at(&host, getpid(), path_of("groups"), path_of("mounts"));
        assert_false(is_there(orphan));
        assert_false(is_there(old));
        assert_true(is_there(foreign));
        assert_true(is_there("g/poppo-friend"));
        assert_true(is_there(own_name("")));
}

static void a_spawner_that_follows_another_finds_its_way_out_of_the_leaf(void **state)
{
        char text[PATH_BYTES];

        (void)state;
        open_v2("cpu memory pids\n", 0);
        snprintf(text, sizeof(text), "0::/%s/supervisor\n", own_name(""));
        put("groups", text);
        cgroup_host_open_at(&host, getpid(), path_of("groups"), path_of("mounts"));
        assert_null(cgroup_why(&host, CGROUP_KILL));
        snprintf(text, sizeof(text), "%s/%s", own_name("/supervisor"), host.name);
        assert_false(is_there(text));
        cgroup_host_close(&host);
}

static void without_any_mount_every_part_says_why(void **state)
{
        (void)state;
        put("groups", "0::/\n");
        put("mounts", "24 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n");
        cgroup_host_open_at(&host, getpid(), path_of("groups"), path_of("mounts"));
        for (int p = 0; p < CGROUP_PARTS; p++)
                assert_non_null(strstr(cgroup_why(&host, (enum cgroup_part)p), "mount cgroup2"));
        cgroup_host_close(&host);
}

/* ---- for real ---- */

static struct cgroup tree;

/* False, and says so, where this part cannot be had; then the host has said why. */
static bool open_real(enum cgroup_part part)
{
        cgroup_host_open(&host, getpid());
        if (!cgroup_why(&host, part) && host.versions[part] == 1) {
                cgroup_make(&host, &host.base, "tree", &tree);
                return true;
        }
        if (cgroup_why(&host, part))
                assert_true(strlen(cgroup_why(&host, part)) > 10);
        cgroup_host_close(&host);
        return false;
}

static void close_real(void)
{
        assert_int_equal(cgroup_remove(&host.base, "tree", &tree), 0);
        cgroup_host_close(&host);
        cgroup_host_open(&host, getpid());
        cgroup_host_close(&host);
}

/* In the group from its first moment on. */
static int run_inside(void (*call)(void))
{
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (!pid) {
                if (cgroup_enter_thread(&host, &tree))
                        _exit(100);
                call();
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

static void touch(uint64_t bytes)
{
        char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
                _exit(101);
        memset(p, 1, bytes);
}

static void touch_half(void)
{
        touch(LIMIT_MIB * MIB / 2);
}

static void touch_too_much(void)
{
        touch(4 * LIMIT_MIB * MIB);
}

static void memory_is_bounded_and_counted_for_real(void **state)
{
        struct cgroup_usage u;
        int event, status;
        uint64_t events;

        (void)state;
        if (!open_real(CGROUP_MEMORY))
                return leave_out("no memory controller of version 1");
        assert_int_equal(cgroup_limit_memory(&host, &tree, LIMIT_MIB * MIB), 0);
        event = cgroup_watch_memory(&host, &tree);
        assert_true(event >= 0);
        assert_int_equal(run_inside(touch_half), 0);
        cgroup_read(&host, &tree, &u);
        assert_true(u.peak >= LIMIT_MIB * MIB / 2 && u.peak <= LIMIT_MIB * MIB && !u.oom_kills);
        assert_true(cgroup_reset(&host, &tree));
        cgroup_read(&host, &tree, &u);
        assert_true(u.peak < LIMIT_MIB * MIB / 2);
        status = run_inside(touch_too_much);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        cgroup_read(&host, &tree, &u);
        assert_int_equal(u.oom_kills, 1);
        assert_true(u.peak + MIB > LIMIT_MIB * MIB && u.peak <= LIMIT_MIB * MIB);
        assert_int_equal(read(event, &events, sizeof(events)), sizeof(events));
        close(event);
        /* Up and down again: the sum with swap must never be in the way. */
        assert_int_equal(cgroup_limit_memory(&host, &tree, 4 * LIMIT_MIB * MIB), 0);
        assert_int_equal(cgroup_limit_memory(&host, &tree, LIMIT_MIB * MIB), 0);
        assert_int_equal(cgroup_limit_memory(&host, &tree, CGROUP_UNLIMITED), 0);
        close_real();
}

static void fork_four(void)
{
        for (int i = 0; i < 4; i++) {
                pid_t pid = fork();

                if (!pid) {
                        pause();
                        _exit(0);
                }
                if (pid < 0 && errno == EAGAIN)
                        kill(0, SIGKILL);
        }
        _exit(1);
}

static void fork_in_a_session_of_its_own(void)
{
        setsid();
        fork_four();
}

static void processes_are_bounded_for_real(void **state)
{
        struct cgroup_usage u;
        int status;

        (void)state;
        if (!open_real(CGROUP_PIDS))
                return leave_out("no pids controller of version 1");
        assert_int_equal(cgroup_limit_pids(&host, &tree, 3), 0);
        status = run_inside(fork_in_a_session_of_its_own);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        cgroup_read(&host, &tree, &u);
        assert_true(u.refused_forks > 0);
        /* The others are dying: whoever takes a group's name looks whether it is free. */
        for (int i = 0; i < 2000 && cgroup_remove(&host.base, "tree", NULL); i++)
                usleep(1000);
        close_real();
}

static void a_quota_of_cpu_is_read_back_for_real(void **state)
{
        (void)state;
        if (!open_real(CGROUP_CPU))
                return leave_out("no cpu controller of version 1");
        assert_int_equal(cgroup_limit_cpu(&host, &tree, 500000), 0);
        assert_int_equal(cgroup_limit_cpu(&host, &tree, 2000000), 0);
        assert_int_equal(cgroup_limit_cpu(&host, &tree, CGROUP_UNLIMITED), 0);
        close_real();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(version_2_has_one_place_for_all_parts),
                CASE(hybrid_machines_have_controllers_in_version_1),
                CASE(version_1_alone_counts_time_and_cannot_kill),
                CASE(a_mount_may_show_a_part_of_the_hierarchy),
                CASE(places_with_spaces_and_read_only_ones_are_known),
                CASE(version_2_moves_its_own_processes_down_and_hands_controllers_on),
                CASE(a_process_of_somebody_elses_is_named_with_the_cure),
                CASE(a_controller_that_was_not_handed_down_is_named),
                CASE(limits_are_written_and_read_back),
                CASE(counters_of_version_2_are_read),
                CASE(what_dead_supervisors_left_is_removed_and_nothing_else),
                CASE(a_spawner_that_follows_another_finds_its_way_out_of_the_leaf),
                CASE(without_any_mount_every_part_says_why),
                CASE(memory_is_bounded_and_counted_for_real),
                CASE(processes_are_bounded_for_real),
                CASE(a_quota_of_cpu_is_read_back_for_real),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
