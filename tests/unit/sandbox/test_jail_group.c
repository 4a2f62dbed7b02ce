/* A tree in its control group: what bounds it, and what is counted. Only root is handed groups here. */
#include "jailer.h"
#include "base/cleanup.h"
#include "leave_out.h"
#include "sandbox/jail_probe.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)

static struct cgroup_host host;

static bool has(enum cgroup_part part)
{
        return !cgroup_why(&host, part);
}

static int set_up(void **state)
{
        struct visit *v = visit_new(ROOT);

        cgroup_host_open(&host, getpid());
        v->spec.groups = &host;
        v->spec.tree_memory_bytes = 48 * MIB;
        v->spec.disk_bytes = 64 * MIB;
        *state = v;
        return 0;
}

/* Nothing of it may be left. */
static int tear_down(void **state)
{
        visit_free(*state);
        cgroup_host_close(&host);
        return 0;
}

static struct visit *probed;

static void probe(struct jail *j)
{
        enum layer_state states[JAIL_N_LAYERS];

        probed->error = jail_probe(j, states);
        for (int i = 0; i < JAIL_N_LAYERS; i++)
                probed->said[i] = states[i];
}

/* Where there is no group, that is what must be said. */
static void the_layers_are_what_the_machine_has(void **state)
{
        struct visit *v = *state;

        if (!visit_possible(v))
                return;
        probed = v;
        v->opened = probe;
        visit_run(v);
        assert_int_equal(v->status, 0);
        assert_int_equal(v->error, 0);
        assert_int_equal(v->said[JAIL_LAYER_memory], has(CGROUP_MEMORY) ? LAYER_ENFORCED : LAYER_ABSENT);
        assert_int_equal(v->said[JAIL_LAYER_processes], LAYER_ENFORCED);
        assert_int_equal(v->said[JAIL_LAYER_time], has(CGROUP_TIME) ? LAYER_ENFORCED : LAYER_ABSENT);
}

static void a_tree_without_a_memory_limit_has_no_layer(void **state)
{
        struct visit *v = *state;

        if (!visit_possible(v))
                return;
        probed = v;
        v->spec.tree_memory_bytes = 0;
        v->opened = probe;
        visit_run(v);
        assert_int_equal(v->said[JAIL_LAYER_memory], LAYER_ABSENT);
}

static void files_count_as_memory_and_all_of_the_tree_goes(void **state)
{
        struct visit *v = *state;
        char *argv[] = {(char *)"/bin/sh", (char *)"-c",
                (char *)"sleep 1000 & (head -c 40M /dev/zero > a; head -c 20M /dev/zero > b); echo done; "
                        "sleep 1000",
                NULL};

        if (!visit_possible(v))
                return;
        if (!has(CGROUP_MEMORY))
                return leave_out("no memory controller");
        v->command.argv = argv;
        visit_run(v);
        assert_true(v->end.out_of_memory && v->end.full);
        assert_true(v->end.peak_bytes <= 48 * MIB && v->end.peak_bytes > 47 * MIB);
        assert_string_equal(v->out, "");
}

static void the_next_tree_starts_with_nothing_of_the_last_one(void **state)
{
        struct visit *v = *state;

        if (!visit_possible(v))
                return;
        if (!has(CGROUP_MEMORY))
                return leave_out("no memory controller");
        v->times = 6;
        visit_shell(v, "head -c 30M /dev/zero > a; echo done");
        assert_string_equal(v->out, "done\n");
        assert_false(v->end.out_of_memory);
        assert_true(v->end.peak_bytes > 30 * MIB && v->end.peak_bytes < 36 * MIB);
        v->times = 0;
        visit_shell(v, "true");
        assert_true(v->end.peak_bytes < 4 * MIB);
}

/* Ignored children are reaped by the kernel, and their time goes nowhere else. */
static void children_that_nobody_waits_for_are_counted(void **state)
{
        struct visit *v = *state;
        static const char script[] = "trap '' CHLD; perl -e '$SIG{CHLD}=\"IGNORE\"; for (1..2) { if (!fork) "
                                     "{ 1 while times < 0.2; "
                                     "exit } } wait'";

        if (!visit_possible(v))
                return;
        if (!has(CGROUP_TIME))
                return leave_out("nothing counts time");
        visit_shell(v, script);
        assert_true(v->end.cpu_us >= 380 * 1000);
}

static void kill_the_first(struct jail_tree *t)
{
        if (t->jail->builds && !probed->said[0]++)
                jail_tree_kill(t);
}

static void the_tree_after_one_that_was_killed_lives(void **state)
{
        struct visit *v = *state;

        if (!visit_possible(v))
                return;
        probed = v;
        v->during = kill_the_first;
        v->times = 2;
        visit_shell(v, "sleep 0.2; echo alive");
        assert_string_equal(v->out, "alive\n");
        assert_int_equal(v->said[0], 2);
}

/* Of a tree, as if the limit of its memory could not be set any more. */
static void start_without_memory(struct jail *j)
{
        struct jail_command command = {.argv = (char *[]){(char *)"/bin/true", NULL}, .envp = (char *[]){NULL}};
        struct jail_tree tree;

        probe(j);
        cleanup_close(&j->group.own.dirs[CGROUP_MEMORY]);
        j->group.own.dirs[CGROUP_MEMORY] = -1;
        if (!probed->error)
                probed->error = jail_tree_open(j, &tree);
        if (probed->error)
                return;
        probed->error = jail_tree_start(&tree, &command);
        jail_tree_close(&tree);
}

static void no_tree_is_without_what_the_probe_has_seen(void **state)
{
        struct visit *v = *state;

        if (!visit_possible(v))
                return;
        if (!has(CGROUP_MEMORY))
                return leave_out("no memory controller");
        probed = v;
        v->opened = start_without_memory;
        visit_run(v);
        assert_int_equal(v->status, 0);
        assert_int_equal(v->error, -ENOLCK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                CASE(the_layers_are_what_the_machine_has),
                CASE(a_tree_without_a_memory_limit_has_no_layer),
                CASE(files_count_as_memory_and_all_of_the_tree_goes),
                CASE(the_next_tree_starts_with_nothing_of_the_last_one),
                CASE(the_tree_after_one_that_was_killed_lives),
                CASE(no_tree_is_without_what_the_probe_has_seen),
                CASE(children_that_nobody_waits_for_are_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
