/*
 * The prober in workers that the fork server makes: every system call number is tried inside one, behind all
 * of its layers, by code that is called instead of its class's. test_prober_workers root|ordinary: who runs
 * the supervisor.
 */
#include "become.h"
#include "leave_out.h"
#include "nursery.h"
#include "sandbox/instrument.h"
#include "trial.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static struct nursery nursery;
static struct trial *trial;

static int64_t bid_trial(void)
{
        trial_make(trial);
}

static int64_t (*const bids[])(void) = {bid_trial};

static int open_nursery(void **state)
{
        struct wire_spawn_setup setup = nursery_setup();

        (void)state;
        trial = trial_new();
        nursery_open(&nursery, bids, &setup);
        return 0;
}

static int close_nursery(void **state)
{
        (void)state;
        return nursery_close(&nursery);
}

static void spawn_for(struct infant *w, uint64_t class, enum profile profile)
{
        struct wire_handler handler = nursery_handler("well");

        if (class != CLASS_WORD_PLUGIN)
                return infant_spawn_class(&nursery, w, class);
        handler.profile = profile;
        infant_spawn_plugin(&nursery, w, &handler);
}

struct prison {
        uint64_t class;
        enum profile profile;
};

static void try_in_worker(struct trial *t, void *arg)
{
        const struct prison *p = arg;
        enum trial_end end;
        int64_t ignored;
        struct infant w;
        int status;

        do {
                spawn_for(&w, p->class, p->profile);
                infant_bid(&w, 0, &ignored);
                status = infant_reap(&w);
                end = trial_judge(t, status);
        } while (end == TRIAL_SLOW);
        if (end == TRIAL_WRONG)
                trial_fail(t, status);
}

static void probe(uint64_t class, enum profile profile)
{
        struct prison p = {class, profile};

        if (instrumented())
                return leave_out("no worker has a filter under a sanitizer or valgrind");
        print_message("# %u calls\n", trials_each(profile, false, trial, try_in_worker, &p));
}

static void a_js_worker_may_call_what_the_table_says(void **state)
{
        (void)state;
        probe(CLASS_WORD_JS, PROFILE_JS);
}

static void an_http_worker_may_call_what_the_table_says(void **state)
{
        (void)state;
        probe(CLASS_WORD_HTTP, PROFILE_HTTP);
}

static void a_plugin_of_profile_js_may_call_what_the_table_says(void **state)
{
        (void)state;
        probe(CLASS_WORD_PLUGIN, PROFILE_JS);
}

static void a_plugin_of_profile_http_may_call_what_the_table_says(void **state)
{
        (void)state;
        probe(CLASS_WORD_PLUGIN, PROFILE_HTTP);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_js_worker_may_call_what_the_table_says),
                cmocka_unit_test(an_http_worker_may_call_what_the_table_says),
                cmocka_unit_test(a_plugin_of_profile_js_may_call_what_the_table_says),
                cmocka_unit_test(a_plugin_of_profile_http_may_call_what_the_table_says),
        };

        if (!become(argc > 1 ? argv[1] : ""))
                return 0;
        return cmocka_run_group_tests_name("prober in workers", tests, open_nursery, close_nursery);
}
