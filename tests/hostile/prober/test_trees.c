/*
 * The prober in jails: every system call number is tried in a tree of its own, behind all layers, by code
 * that is called instead of executed. Commands of tasks have the profile shell; programs of the operator's
 * any one. test_prober_trees root|ordinary: who runs the supervisor.
 */
#include "become.h"
#include "jailer.h"
#include "leave_out.h"
#include "sandbox/instrument.h"
#include "sandbox/renounce.h"
#include "trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

/* Shared with the jailer, which cannot fail a test. */
static struct shared {
        enum profile profile;
        bool wrong;
        struct trial fault;
        int status;
        unsigned int n;
} * shared;

struct warder {
        struct jail *jail;
        struct jail_command command;
};

static int make_trial(void *arg)
{
        trial_make(arg);
}

/* The status of the prisoner; of a tree that never came to its call, one that is never right. */
static int try_in_tree(struct warder *w)
{
        struct jail_end end = {.how = JAIL_NOT_STARTED};
        struct jail_tree tree;

        if (jail_tree_open(w->jail, &tree))
                return -1;
        if (!jail_tree_start(&tree, &w->command))
                jail_tree_wait(&tree, &end);
        jail_tree_close(&tree);
        return end.how == JAIL_RAN ? end.status : -1;
}

static void try_until_settled(struct trial *t, void *arg)
{
        enum trial_end end;
        int status;

        if (shared->wrong)
                return;
        do {
                status = try_in_tree(arg);
                end = status == -1 ? TRIAL_WRONG : trial_judge(t, status);
        } while (end == TRIAL_SLOW);
        shared->wrong = end == TRIAL_WRONG;
        shared->fault = *t;
        shared->status = status;
}

static void try_all(struct jail *j)
{
        struct trial *t = trial_new();
        struct layers given_up = {0};
        struct warder w = {
                .jail = j, .command = {.fds = {-1, -1, -1}, .n_fds = 3, .call = make_trial, .arg = t}};

        /* As the spawner, whose child a jailer is. */
        renounce_filter(&given_up, RENOUNCE_STARTERS);
        shared->n = trials_each(shared->profile, shared->profile != PROFILE_SHELL, t, try_until_settled, &w);
}

static void probe(enum profile profile)
{
        struct visit *v = visit_new(geteuid() ? NOBODY : ROOT);
        struct filter filter;

        if (instrumented())
                return leave_out("ten times as slow there, and no different: no filter is a sanitizer's");
        memset(shared, 0, sizeof(*shared));
        shared->profile = profile;
        assert_int_equal(filter_build(&filter, profile, profile != PROFILE_SHELL), 0);
        /* As for the operator's programs. */
        if (profile != PROFILE_SHELL)
                filter_instead(&filter, FILTER_ASKS);
        v->spec.filter = &filter;
        v->opened = try_all;
        visit_run(v);
        if (v->status || v->error)
                fail_msg("jailer %x, error %d: %s", v->status, v->error, v->fault);
        if (shared->wrong)
                trial_fail(&shared->fault, shared->status);
        assert_true(shared->n > 500);
        print_message("# %u calls\n", shared->n);
        filter_fini(&filter);
        visit_free(v);
}

static void a_command_may_call_what_the_table_says(void **state)
{
        (void)state;
        probe(PROFILE_SHELL);
}

static void a_program_of_profile_js_may_call_what_the_table_says(void **state)
{
        (void)state;
        probe(PROFILE_JS);
}

static void a_program_of_profile_http_may_call_what_the_table_says(void **state)
{
        (void)state;
        probe(PROFILE_HTTP);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_command_may_call_what_the_table_says),
                cmocka_unit_test(a_program_of_profile_js_may_call_what_the_table_says),
                cmocka_unit_test(a_program_of_profile_http_may_call_what_the_table_says),
        };

        if (!become(argc > 1 ? argv[1] : ""))
                return 0;
        shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (shared == MAP_FAILED)
                return 1;
        return cmocka_run_group_tests_name("prober in trees", tests, NULL, NULL);
}
