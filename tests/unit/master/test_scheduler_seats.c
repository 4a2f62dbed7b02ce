/* Which worker a task gets, and what becomes of workers. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS(n) ((n) * NS_PER_MS)

static void test_a_seat_serves_one_project(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *first;

        (void)state;
        config.isolation = ISOLATION_PROJECT;
        config.max_seats = 1;
        stage_init(&st, &config);
        first = stage_seat(&st);
        stage_submit(&st, stage_project(&st, "a"), 0);
        stage_settle(&st);
        stage_end(&st, first, TASK_SUCCEEDED, MS(1));
        stage_submit(&st, stage_project(&st, "a"), 0);
        stage_settle(&st);
        assert_ptr_equal(st.last_seat, first);
        stage_submit(&st, stage_project(&st, "b"), 0);
        stage_end(&st, first, TASK_SUCCEEDED, MS(1));
        st.last_seat = NULL;
        stage_settle(&st);
        assert_null(st.last_seat);
        assert_int_equal(st.n_replaced, 1);
        stage_seat(&st);
        stage_settle(&st);
        assert_non_null(st.last_seat);
        assert_string_equal(st.last_started->project->name, "b");
        stage_fini(&st);
}

static void test_bound_then_fresh_then_longest_idle(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *a, *b, *fresh;

        (void)state;
        config.isolation = ISOLATION_PROJECT;
        config.max_seats = 3;
        stage_init(&st, &config);
        a = stage_seat(&st);
        stage_submit(&st, stage_project(&st, "a"), 0);
        stage_settle(&st);
        b = stage_seat(&st);
        stage_submit(&st, stage_project(&st, "b"), 0);
        stage_settle(&st);
        fresh = stage_seat(&st);
        stage_end(&st, b, TASK_SUCCEEDED, MS(1));
        st.now += MS(1);
        stage_end(&st, a, TASK_SUCCEEDED, MS(1));
        stage_submit(&st, stage_project(&st, "a"), 0);
        stage_settle(&st);
        assert_ptr_equal(st.last_seat, a);
        stage_submit(&st, stage_project(&st, "c"), 0);
        stage_settle(&st);
        assert_ptr_equal(st.last_seat, fresh);
        stage_end(&st, a, TASK_SUCCEEDED, MS(1));
        stage_submit(&st, stage_project(&st, "d"), 0);
        stage_settle(&st);
        assert_int_equal(st.n_replaced, 1);
        assert_false(stage_of(b)->live); /* idle for longer than a */
        assert_true(stage_of(a)->live);
        stage_fini(&st);
}

static void test_nothing_is_replaced_while_one_is_starting(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *a;

        (void)state;
        config.isolation = ISOLATION_PROJECT;
        config.max_seats = 2;
        stage_init(&st, &config);
        a = stage_seat(&st);
        stage_submit(&st, stage_project(&st, "a"), 0);
        stage_settle(&st);
        stage_end(&st, a, TASK_SUCCEEDED, MS(1));
        stage_seat_start(&st, CLASS_JS);
        stage_submit(&st, stage_project(&st, "b"), 0);
        stage_settle(&st);
        assert_int_equal(st.n_replaced, 0);
        stage_submit(&st, stage_project(&st, "c"), 0);
        stage_settle(&st);
        assert_int_equal(st.n_replaced, 1);
        stage_fini(&st);
}

/* Between classes of workers: the higher priority, then who waits longest, gets the room of an idle seat. */
static void test_classes_take_room_in_order(void **state)
{
        struct scheduler_config config = stage_config();
        enum task_class wanted = CLASS_JS;
        struct stage st;
        struct seat *js;
        struct task *shell;

        (void)state;
        config.max_seats = 1;
        stage_init(&st, &config);
        assert_false(scheduler_wanted_class(&st.s, &wanted));
        js = stage_seat(&st);
        stage_submit(&st, stage_project(&st, "a"), 1);
        shell = stage_task(stage_project(&st, "b"), 2);
        shell->class = CLASS_SHELL;
        assert_int_equal(stage_offer(&st, shell), WIRE_OK);
        stage_settle(&st);
        assert_int_equal(st.n_started, 0);
        assert_false(stage_of(js)->live);
        assert_true(scheduler_wanted_class(&st.s, &wanted));
        assert_int_equal(wanted, CLASS_SHELL);
        scheduler_seat_ready(&st.s, &stage_seat_start(&st, CLASS_SHELL)->seat, st.now);
        stage_settle(&st);
        assert_int_equal(shell->state, TASK_RUNNING);
        assert_true(scheduler_wanted_class(&st.s, &wanted));
        assert_int_equal(wanted, CLASS_JS);
        stage_fini(&st);
}

/* A class whose workers do not start takes nothing from the others: no growth, no room, no replaced worker. */
static void test_a_held_class_holds_nobody_else_up(void **state)
{
        struct scheduler_config config = stage_config();
        enum task_class wanted = CLASS_JS;
        struct stage st;
        struct seat *js;
        struct task *held;

        (void)state;
        config.max_seats = 1;
        stage_init(&st, &config);
        js = stage_seat(&st);
        held = stage_task(stage_project(&st, "a"), 9);
        held->class = CLASS_HANDLERS;
        assert_int_equal(stage_offer(&st, held), WIRE_OK);
        scheduler_hold_class(&st.s, CLASS_HANDLERS, true);
        stage_settle(&st);
        assert_int_equal(st.n_replaced, 0);
        assert_false(scheduler_wanted_class(&st.s, &wanted));
        assert_int_equal(scheduler_load(&st.s).held, 1);
        stage_submit(&st, stage_project(&st, "b"), 0);
        stage_settle(&st);
        assert_int_equal(st.n_started, 1);
        stage_end(&st, js, TASK_SUCCEEDED, MS(1));
        scheduler_hold_class(&st.s, CLASS_HANDLERS, false);
        stage_settle(&st);
        assert_int_equal(st.n_replaced, 1);
        assert_true(scheduler_wanted_class(&st.s, &wanted));
        assert_int_equal(wanted, CLASS_HANDLERS);
        stage_fini(&st);
}

static void test_a_worker_that_is_there_serves_its_held_class(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        scheduler_hold_class(&st.s, CLASS_JS, true);
        stage_submit(&st, stage_project(&st, "a"), 0);
        stage_settle(&st);
        assert_int_equal(st.n_started, 1);
        stage_fini(&st);
}

/* No seat comes for whoever is first: that is no reason to leave another one's seat idle. */
static void test_a_seat_of_ones_own_serves_on_while_its_class_is_held(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *seat;

        (void)state;
        config.isolation = ISOLATION_PROJECT;
        config.max_seats = 1;
        stage_init(&st, &config);
        seat = stage_seat(&st);
        stage_submit(&st, stage_project(&st, "b"), 0);
        stage_settle(&st);
        scheduler_hold_class(&st.s, CLASS_JS, true);
        stage_submit(&st, stage_project(&st, "a"), 0);
        for (int i = 2; i < 10; i++) {
                stage_submit(&st, stage_project(&st, "b"), 0);
                stage_end(&st, seat, TASK_SUCCEEDED, MS(50));
                stage_settle(&st);
                assert_int_equal(st.n_started, i);
        }
        stage_fini(&st);
}

static void test_a_start_that_nobody_waits_for_holds_up_no_other_class(void **state)
{
        struct scheduler_config config = stage_config();
        struct autoscaler_config scale = {.enabled = true, .max = 4, .up_threshold = 0.8, .check_interval = NS_PER_S};
        struct stage st;
        struct task *slow;

        (void)state;
        stage_init(&st, &config);
        autoscaler_init(&st.scaler, &scale, st.now);
        st.scaling = true;
        slow = stage_task(stage_project(&st, "a"), 0);
        slow->class = CLASS_HANDLERS;
        assert_int_equal(stage_offer(&st, slow), WIRE_OK);
        stage_settle(&st);
        assert_int_equal(st.s.pools[CLASS_HANDLERS].starting, 1);
        assert_int_equal(scheduler_cancel(&st.s, slow, st.now), CANCEL_DONE);
        stage_submit(&st, stage_project(&st, "b"), 0);
        stage_settle(&st);
        assert_int_equal(st.s.pools[CLASS_JS].starting, 1);
        stage_fini(&st);
}

static void test_strictest_isolation_wins(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct project *p;
        struct task *t;

        (void)state;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        t = stage_task(p, 0);
        for (int d = 0; d < 3; d++)
                for (int q = 0; q < 3; q++)
                        for (int k = 0; k < 3; k++) {
                                int most = d > q ? d : q;

                                st.s.config.isolation = (enum isolation)d;
                                p->settings.isolation = (uint8_t)q;
                                t->isolation = (uint8_t)k;
                                assert_int_equal(scheduler_isolation(&st.s, t), k > most ? k : most);
                        }
        st.s.config.isolation = ISOLATION_HEAP;
        p->settings.isolation = ISOLATION_HEAP;
        t->isolation = ISOLATION_HEAP;
        t->quarantined = true;
        assert_int_equal(scheduler_isolation(&st.s, t), ISOLATION_PROCESS);
        task_free(t);
        stage_fini(&st);
}

static void test_process_isolation_spends_the_seat(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *seat;
        struct task *t;

        (void)state;
        stage_init(&st, &config);
        seat = stage_seat(&st);
        t = stage_task(stage_project(&st, "p"), 0);
        t->isolation = ISOLATION_PROCESS;
        assert_int_equal(stage_offer(&st, t), WIRE_OK);
        stage_settle(&st);
        stage_end(&st, seat, TASK_SUCCEEDED, MS(1));
        assert_false(stage_of(seat)->live);
        stage_fini(&st);
}

static void test_retiring_seat_finishes_its_task(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *seat;

        (void)state;
        stage_init(&st, &config);
        seat = stage_seat(&st);
        stage_submit(&st, stage_project(&st, "p"), 0);
        stage_submit(&st, stage_project(&st, "p"), 0);
        stage_settle(&st);
        scheduler_seat_retire(&st.s, seat, st.now);
        assert_int_equal(scheduler_load(&st.s).seats, 0);
        stage_end(&st, seat, TASK_SUCCEEDED, MS(1));
        assert_false(stage_of(seat)->live);
        stage_settle(&st);
        assert_int_equal(st.n_started, 1);
        assert_int_equal(scheduler_load(&st.s).runnable, 1);
        stage_fini(&st);
}

static struct task *submit_to(struct stage *st, const char *project, enum task_class class)
{
        struct task *t = stage_task(stage_project(st, project), 0);

        t->class = (uint8_t)class;
        t->isolation = ISOLATION_PROJECT;
        assert_int_equal(stage_offer(st, t), WIRE_OK);
        return t;
}

static struct seat *http_seat(struct stage *st)
{
        struct seat *seat = &stage_seat_start(st, CLASS_HTTP)->seat;

        scheduler_seat_ready(&st->s, seat, st->now);
        return seat;
}

static void test_a_seat_for_many_takes_as_many(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *seat;

        (void)state;
        stage_init(&st, &config);
        scheduler_set_class(&st.s, CLASS_HTTP, 3, 0, st.now);
        seat = http_seat(&st);
        for (int i = 0; i < 5; i++)
                submit_to(&st, "p", CLASS_HTTP);
        stage_settle(&st);
        assert_int_equal(st.n_started, 3);
        assert_int_equal(seat->state, SEAT_BUSY);
        /* The two that are left would fill one more seat, not two. */
        assert_int_equal(scheduler_load(&st.s).runnable, 1);
        stage_end(&st, seat, TASK_SUCCEEDED, MS(1));
        assert_int_equal(seat->state, SEAT_OPEN);
        stage_settle(&st);
        assert_int_equal(st.n_started, 4);
        while (seat->n_runs) {
                stage_end(&st, seat, TASK_SUCCEEDED, MS(1));
                stage_settle(&st);
        }
        assert_int_equal(st.n_started, 5);
        assert_int_equal(seat->state, SEAT_IDLE);
        assert_int_equal(scheduler_load(&st.s).idle, 1);
        stage_fini(&st);
}

/* Under load a seat for many never idles: it must not keep others out for ever, nor be closed at every chance. */
static void test_a_seat_for_many_is_closed_for_those_who_wait(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *seat;

        (void)state;
        config.max_seats = 1;
        stage_init(&st, &config);
        scheduler_set_class(&st.s, CLASS_HTTP, 3, 0, st.now);
        seat = http_seat(&st);
        submit_to(&st, "a", CLASS_HTTP);
        submit_to(&st, "a", CLASS_HTTP);
        submit_to(&st, "b", CLASS_HTTP);
        stage_settle(&st);
        assert_int_equal(st.n_started, 2);
        assert_false(seat->retiring);
        assert_int_equal(scheduler_next_wake(&st.s), seat->held_since + NS_PER_S);
        st.now = seat->held_since + NS_PER_S;
        assert_true(scheduler_decide(&st.s, st.now, &(struct decision){0}));
        scheduler_seat_retire(&st.s, seat, st.now);
        assert_int_equal(st.s.n_draining, 1);
        assert_int_equal(scheduler_load(&st.s).seats, 0);
        stage_end(&st, seat, TASK_SUCCEEDED, MS(1));
        assert_true(seat->n_runs == 1 && seat->retiring);
        stage_end(&st, seat, TASK_SUCCEEDED, MS(1));
        assert_int_equal(st.s.n_draining, 0);
        assert_false(stage_of(seat)->live);
        http_seat(&st);
        stage_settle(&st);
        assert_int_equal(st.n_started, 3);
        stage_fini(&st);
}

/* Two wait, each for another seat's end: the first of these times counts, whoever looked last. */
static void test_the_first_seat_that_may_be_closed_sets_the_time(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *first;

        (void)state;
        config.isolation = ISOLATION_PROJECT;
        config.max_seats = 2;
        stage_init(&st, &config);
        scheduler_set_class(&st.s, CLASS_HTTP, 1, 0, st.now);
        scheduler_set_class(&st.s, CLASS_SHELL, 2, 0, st.now);
        scheduler_seat_ready(&st.s, &stage_seat_start(&st, CLASS_SHELL)->seat, st.now);
        submit_to(&st, "a", CLASS_SHELL);
        stage_settle(&st);
        first = st.last_seat;
        st.now += MS(500);
        scheduler_seat_ready(&st.s, &stage_seat_start(&st, CLASS_SHELL)->seat, st.now);
        submit_to(&st, "b", CLASS_SHELL);
        stage_settle(&st);
        submit_to(&st, "c", CLASS_HTTP);
        submit_to(&st, "a", CLASS_SHELL);
        submit_to(&st, "a", CLASS_SHELL);
        stage_settle(&st);
        assert_int_equal(st.n_started, 3);
        assert_int_equal(scheduler_next_wake(&st.s), first->held_since + NS_PER_S);
        stage_fini(&st);
}

static void test_a_task_that_wants_a_process_has_a_seat_for_many_alone(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *seat;

        (void)state;
        config.isolation = ISOLATION_PROCESS;
        stage_init(&st, &config);
        scheduler_set_class(&st.s, CLASS_HTTP, 3, 0, st.now);
        seat = http_seat(&st);
        submit_to(&st, "p", CLASS_HTTP);
        submit_to(&st, "p", CLASS_HTTP);
        submit_to(&st, "p", CLASS_HTTP);
        stage_settle(&st);
        assert_int_equal(st.n_started, 1);
        assert_int_equal(seat->state, SEAT_BUSY);
        assert_int_equal(scheduler_load(&st.s).runnable, 2);
        stage_end(&st, seat, TASK_SUCCEEDED, MS(1));
        assert_false(stage_of(seat)->live);
        stage_fini(&st);
}

static void test_a_class_has_no_more_seats_than_it_may(void **state)
{
        struct scheduler_config config = stage_config();
        enum task_class wanted = CLASS_JS;
        struct stage st;

        (void)state;
        config.isolation = ISOLATION_PROJECT;
        stage_init(&st, &config);
        scheduler_set_class(&st.s, CLASS_HANDLERS, 1, 1, st.now);
        submit_to(&st, "a", CLASS_HANDLERS);
        submit_to(&st, "b", CLASS_HANDLERS);
        assert_true(scheduler_wanted_class(&st.s, &wanted));
        assert_int_equal(wanted, CLASS_HANDLERS);
        assert_int_equal(scheduler_load(&st.s).runnable, 1);
        scheduler_seat_ready(&st.s, &stage_seat_start(&st, CLASS_HANDLERS)->seat, st.now);
        stage_settle(&st);
        assert_int_equal(st.n_started, 1);
        assert_false(scheduler_wanted_class(&st.s, &wanted));
        assert_int_equal(scheduler_load(&st.s).runnable, 0);
        /* Its seat is bound to another project: idle, it makes room for the one who waits. */
        stage_end(&st, st.last_seat, TASK_SUCCEEDED, MS(1));
        stage_settle(&st);
        assert_int_equal(st.n_replaced, 1);
        assert_true(scheduler_wanted_class(&st.s, &wanted));
        stage_fini(&st);
}

static void test_load_is_not_capped(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        stage_seat(&st);
        for (int i = 0; i < 12; i++)
                stage_submit(&st, stage_project(&st, "p"), 0);
        stage_settle(&st);
        assert_true(scheduler_load(&st.s).load == 6.0);
        stage_fini(&st);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_seat_serves_one_project),
                cmocka_unit_test(test_bound_then_fresh_then_longest_idle),
                cmocka_unit_test(test_nothing_is_replaced_while_one_is_starting),
                cmocka_unit_test(test_classes_take_room_in_order),
                cmocka_unit_test(test_a_held_class_holds_nobody_else_up),
                cmocka_unit_test(test_a_worker_that_is_there_serves_its_held_class),
                cmocka_unit_test(test_a_seat_of_ones_own_serves_on_while_its_class_is_held),
                cmocka_unit_test(test_a_start_that_nobody_waits_for_holds_up_no_other_class),
                cmocka_unit_test(test_strictest_isolation_wins),
                cmocka_unit_test(test_process_isolation_spends_the_seat),
                cmocka_unit_test(test_retiring_seat_finishes_its_task),
                cmocka_unit_test(test_a_seat_for_many_takes_as_many),
                cmocka_unit_test(test_a_seat_for_many_is_closed_for_those_who_wait),
                cmocka_unit_test(test_the_first_seat_that_may_be_closed_sets_the_time),
                cmocka_unit_test(test_a_task_that_wants_a_process_has_a_seat_for_many_alone),
                cmocka_unit_test(test_a_class_has_no_more_seats_than_it_may),
                cmocka_unit_test(test_load_is_not_capped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
