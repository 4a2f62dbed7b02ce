/* The fork server from its master's side: whose child a worker is, what outlives whom, and that nothing is left behind. */
#include "nursery.h"
#include "leave_out.h"
#include "sandbox/instrument.h"
#include "spawner/spawner.h"
#include "wire/cursor.h"
#include "wire/exits.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int64_t bid_parent(void)
{
        return getpid();
}

static bool was_loaded;

static int64_t bid_loaded(void)
{
        return was_loaded;
}

static int64_t (*const bids[])(void) = {bid_parent, bid_loaded};

static struct nursery nursery;

static int open_nursery(void **state)
{
        struct wire_spawn_setup setup = nursery_setup();

        (void)state;
        nursery_open(&nursery, bids, &setup);
        return 0;
}

static int close_nursery(void **state)
{
        (void)state;
        return nursery_close(&nursery);
}

/* The fourth field of /proc/PID/stat, behind the name in its brackets. */
static pid_t parent_of(pid_t pid)
{
        char path[64], line[512];
        int parent = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        f = fopen(path, "re");
        assert_non_null(f);
        assert_non_null(fgets(line, sizeof(line), f));
        fclose(f);
        assert_int_equal(sscanf(strrchr(line, ')'), ") %*c %d", &parent), 1);
        return parent;
}

static void a_worker_is_the_masters_child(void **state)
{
        struct infant w;
        int64_t pid;

        (void)state;
        infant_spawn(&nursery, &w);
        assert_int_equal(parent_of(w.pid), getpid());
        assert_true(infant_bid(&w, 0, &pid));
        assert_int_equal(pid, w.pid);
        assert_int_equal(infant_reap(&w), 0);
}

static void the_pidfd_is_of_that_worker(void **state)
{
        struct infant w;
        int status;

        (void)state;
        if (RUNNING_ON_VALGRIND)
                return leave_out("valgrind knows no pidfd_send_signal(2)");
        infant_spawn(&nursery, &w);
        assert_int_equal(pidfd_send_signal(w.pidfd, SIGTERM, NULL, 0), 0);
        status = infant_reap(&w);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void a_killed_spawner_leaves_its_workers_alive(void **state)
{
        struct infant w;
        int64_t pid;
        int status;

        (void)state;
        infant_spawn(&nursery, &w);
        assert_int_equal(kill(nursery.spawner, SIGKILL), 0);
        status = nursery_close(&nursery);
        assert_true(WIFSIGNALED(status));
        assert_true(infant_bid(&w, 0, &pid));
        assert_int_equal(pid, w.pid);
        assert_int_equal(infant_reap(&w), 0);
}

static void the_terminals_signals_do_not_end_it(void **state)
{
        static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
        struct infant w;

        (void)state;
        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
                assert_int_equal(kill(nursery.spawner, signals[i]), 0);
        infant_spawn(&nursery, &w);
        assert_int_equal(infant_reap(&w), 0);
}

static void assert_refused(struct bytes frame, const char *with)
{
        struct wire_refusal why;
        struct wire_head head;
        struct bytes error, code;

        assert_int_equal(wire_open(frame, &head, &why), 0);
        assert_true(head.is_reply && !head.ok && head.seq == 7);
        assert_true(wire_lookup(frame, "error", &error) && wire_lookup_str(error, "code", &code));
        assert_true(wire_str_is(code, with));
}

static void a_class_it_does_not_make_is_refused(void **state)
{
        struct infant w;

        (void)state;
        assert_refused(nursery_ask(&nursery, CLASS_WORD_SHELL, NULL), "UNKNOWN_TYPE");
        infant_spawn(&nursery, &w);
        assert_int_equal(infant_reap(&w), 0);
}

static int load_a_file(const struct wire_spawn *ask)
{
        int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

        was_loaded = ask->class == CLASS_WORD_HTTP && fd >= 0;
        close(fd);
        return 0;
}

static void a_class_loads_in_the_worker_while_files_can_be_read(void **state)
{
        struct infant w;
        int64_t loaded;

        (void)state;
        nursery_load = load_a_file;
        open_nursery(NULL);
        infant_spawn_class(&nursery, &w, CLASS_WORD_HTTP);
        assert_true(infant_bid(&w, 1, &loaded));
        assert_true(loaded && !was_loaded);
        assert_int_equal(infant_reap(&w), 0);
        nursery_load = NULL;
        close_nursery(NULL);
}

static void only_classes_of_handlers_take_one_and_need_one(void **state)
{
        struct wire_handler handler = nursery_handler("well");
        struct infant w;

        (void)state;
        assert_refused(nursery_ask(&nursery, CLASS_WORD_PLUGIN, NULL), "UNKNOWN_TYPE");
        assert_refused(nursery_ask(&nursery, CLASS_WORD_JS, &handler), "UNKNOWN_TYPE");
        infant_spawn_plugin(&nursery, &w, &handler);
        assert_int_equal(infant_reap(&w), 0);
}

/* The worker of such a type ends at once; these are its last words. */
static void assert_fails_to_load(const char *type, const char *words)
{
        struct wire_handler handler = nursery_handler(type);
        struct wire_worker_failed body;
        struct wire_refusal why;
        struct wire_head head;
        struct channel channel;
        struct bytes frame;
        struct infant w;

        infant_begin(&nursery, &w, CLASS_WORD_PLUGIN, &handler);
        channel_init(&channel, dup(w.channel), 4096, 0);
        while (channel_next(&channel, &frame) == CHANNEL_AGAIN)
                assert_int_equal(channel_fill(&channel), 0);
        assert_int_equal(wire_open(frame, &head, &why), 0);
        assert_true(wire_str_is(head.op, "failed"));
        assert_int_equal(wire_decode(WIRE_MESSAGE(worker_failed), frame, &body, &why), 0);
        assert_true(wire_str_is(body.message, words));
        assert_int_equal(channel_fill(&channel), CHANNEL_CLOSED);
        channel_fini(&channel);
        assert_int_equal(WEXITSTATUS(infant_reap(&w)), WORKER_EXIT_HANDLER);
}

static void a_handler_that_cannot_be_loaded_says_why(void **state)
{
        (void)state;
        assert_fails_to_load("refused", "/a/plugin.so is not liked");
        assert_fails_to_load("broken", "No such file or directory");
}

static rlim_t address_space_of(const char *type)
{
        struct wire_handler handler = nursery_handler(type);
        struct rlimit limit;
        struct infant w;

        infant_spawn_plugin(&nursery, &w, &handler);
        limit = infant_limit(&w, RLIMIT_AS);
        assert_int_equal(infant_reap(&w), 0);
        return limit.rlim_max;
}

static void what_is_loaded_takes_no_address_space_from_tasks(void **state)
{
        (void)state;
        if (instrumented())
                return leave_out("its runtime needs address space without a limit");
        assert_true(address_space_of("fat") >= address_space_of("well") + NURSERY_FAT);
}

static void a_spawn_that_fails_is_answered_and_the_next_one_works(void **state)
{
        struct rlimit none = {0}, before;
        struct infant w;

        (void)state;
        if (RUNNING_ON_VALGRIND)
                return leave_out("valgrind has its own idea of this limit");
        assert_int_equal(prlimit(nursery.spawner, RLIMIT_NOFILE, NULL, &before), 0);
        none.rlim_max = before.rlim_max;
        assert_int_equal(prlimit(nursery.spawner, RLIMIT_NOFILE, &none, NULL), 0);
        assert_refused(nursery_ask(&nursery, CLASS_WORD_JS, NULL), "WORKER_CRASHED");
        assert_int_equal(prlimit(nursery.spawner, RLIMIT_NOFILE, &before, NULL), 0);
        infant_spawn(&nursery, &w);
        assert_int_equal(infant_reap(&w), 0);
}

static int count_fds(pid_t pid)
{
        char path[64];
        int n = 0;
        DIR *d;

        snprintf(path, sizeof(path), "/proc/%d/fd", pid);
        d = opendir(path);
        assert_non_null(d);
        for (struct dirent *e; (e = readdir(d));)
                n += e->d_name[0] != '.';
        closedir(d);
        return n;
}

static bool has_children(pid_t pid)
{
        char path[64];
        bool any;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
        f = fopen(path, "re");
        assert_non_null(f);
        any = fgetc(f) != EOF;
        fclose(f);
        return any;
}

static void two_hundred_workers_leave_nothing_behind(void **state)
{
        struct infant first, w;
        int before;

        (void)state;
        if (geteuid() != 0)
                return leave_out("the spawner is not dumpable: only root can look into it");
        infant_spawn(&nursery, &first);
        assert_int_equal(infant_reap(&first), 0);
        before = count_fds(nursery.spawner);
        for (int i = 0; i < 200; i++) {
                infant_spawn(&nursery, &w);
                assert_int_equal(infant_reap(&w), 0);
        }
        assert_int_equal(count_fds(nursery.spawner), before);
        assert_false(has_children(nursery.spawner));
}

/* A master of its own that spawns one worker, tells both numbers and waits to be killed. */
static _Noreturn void be_a_master(int report)
{
        struct wire_spawn_setup setup = nursery_setup();
        struct infant w;
        pid_t pids[2];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        nursery_open(&nursery, bids, &setup);
        infant_spawn(&nursery, &w);
        pids[0] = w.pid;
        pids[1] = nursery.spawner;
        if (write(report, pids, sizeof(pids)) != sizeof(pids))
                _exit(1);
        for (;;)
                pause();
}

static void await_death(int pidfd)
{
        struct pollfd p = {.fd = pidfd, .events = POLLIN};

        assert_int_equal(poll(&p, 1, -1), 1);
        close(pidfd);
}

static void a_killed_master_takes_worker_and_spawner_along(void **state)
{
        int pair[2], worker, spawner;
        pid_t master, pids[2];

        (void)state;
        if (RUNNING_ON_VALGRIND)
                return leave_out("valgrind knows no pidfd_open(2)");
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        master = fork();
        assert_true(master >= 0);
        if (!master)
                be_a_master(pair[1]);
        close(pair[1]);
        assert_int_equal(read(pair[0], pids, sizeof(pids)), sizeof(pids));
        worker = pidfd_open(pids[0], 0);
        spawner = pidfd_open(pids[1], 0);
        assert_true(worker >= 0 && spawner >= 0);
        assert_int_equal(kill(master, SIGKILL), 0);
        await_death(worker);
        await_death(spawner);
        assert_int_equal(waitpid(master, NULL, 0), master);
        close(pair[0]);
}

static void a_first_message_that_is_no_setup_ends_it(void **state)
{
        struct wire_spawn ask = {0};
        int pair[2], status;
        pid_t pid;

        (void)state;
        assert_int_equal(fd_pair(pair), 0);
        pid = fork();
        if (!pid)
                _exit(spawner_main(pair[1], NULL, 0, NULL));
        close(pair[1]);
        channel_init(&nursery.channel, pair[0], 65536, 65536);
        WIRE_SET(&ask, spawn, class, 0);
        WIRE_SET(&ask, spawn, slot, 0);
        assert_int_equal(channel_send(&nursery.channel, WIRE_MESSAGE(spawn), 1, &ask), 0);
        assert_int_equal(channel_flush(&nursery.channel), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 1);
        channel_fini(&nursery.channel);
}

#define WITH_NURSERY(test) cmocka_unit_test_setup_teardown(test, open_nursery, close_nursery)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_NURSERY(a_worker_is_the_masters_child),
                WITH_NURSERY(the_pidfd_is_of_that_worker),
                cmocka_unit_test_setup(a_killed_spawner_leaves_its_workers_alive, open_nursery),
                WITH_NURSERY(the_terminals_signals_do_not_end_it),
                WITH_NURSERY(a_class_it_does_not_make_is_refused),
                WITH_NURSERY(only_classes_of_handlers_take_one_and_need_one),
                WITH_NURSERY(a_handler_that_cannot_be_loaded_says_why),
                WITH_NURSERY(what_is_loaded_takes_no_address_space_from_tasks),
                WITH_NURSERY(a_spawn_that_fails_is_answered_and_the_next_one_works),
                WITH_NURSERY(two_hundred_workers_leave_nothing_behind),
                cmocka_unit_test(a_class_loads_in_the_worker_while_files_can_be_read),
                cmocka_unit_test(a_killed_master_takes_worker_and_spawner_along),
                cmocka_unit_test(a_first_message_that_is_no_setup_ends_it),
        };

        return cmocka_run_group_tests_name("spawner", tests, NULL, NULL);
}
