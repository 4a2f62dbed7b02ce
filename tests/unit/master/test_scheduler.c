/* The scheduler's promises, one by one: order, limits, time, seats, refusals, explanations. */
#include "stage.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS(n) ((n) * NS_PER_MS)

/* What runs next when the task on the only busy seat ends. */
static struct task *next_after(struct stage *st, int64_t run_ns)
{
        struct task *running = st->last_started;

        st->last_started = NULL;
        st->now += run_ns;
        stage_end(st, stage_seat_of(st, running), TASK_SUCCEEDED, run_ns);
        stage_settle(st);
        return st->last_started;
}

static void test_priority_then_fifo(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct project *p;
        struct task *want[6];

        (void)state;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        stage_seat(&st);
        want[5] = stage_submit(&st, p, 0);
        want[2] = stage_submit(&st, p, 5);
        want[0] = stage_submit(&st, p, 10);
        want[3] = stage_submit(&st, p, 5);
        want[1] = stage_submit(&st, p, 10);
        want[4] = stage_submit(&st, p, 5);
        stage_settle(&st);
        assert_ptr_equal(st.last_started, want[0]);
        for (int i = 1; i < 6; i++)
                assert_ptr_equal(next_after(&st, MS(3)), want[i]);
        stage_fini(&st);
}

static void test_priority_holds_between_projects(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *low, *high;

        (void)state;
        stage_init(&st, &config);
        low = stage_submit(&st, stage_project(&st, "a"), 3);
        high = stage_submit(&st, stage_project(&st, "b"), 4);
        stage_seat(&st);
        stage_settle(&st);
        assert_ptr_equal(st.last_started, high);
        assert_ptr_equal(next_after(&st, MS(1)), low);
        stage_fini(&st);
}

/* ---- shares ---- */

enum { SHARERS = 3 };

/* Runs a saturated pool for a while: each project keeps some tasks waiting, each task costs what its project's cost. Gives
 * the worker time that each project got. */
static void share(enum isolation isolation, int seats, const int64_t cost[SHARERS],
        const uint32_t weight[SHARERS], double got[SHARERS])
{
        struct scheduler_config config = stage_config();
        struct project *p[SHARERS];
        struct stage st;
        char name[] = "a";

        config.isolation = isolation;
        config.max_seats = (uint32_t)seats;
        stage_init(&st, &config);
        autoscaler_init(&st.scaler, &(struct autoscaler_config){.max = (uint32_t)seats}, st.now);
        st.scaling = true;
        for (int i = 0; i < SHARERS; i++, name[0]++) {
                struct project_settings settings = stage_settings();

                settings.weight = weight[i];
                p[i] = stage_project(&st, name);
                scheduler_project_set(&st.s, p[i], &settings, st.now);
        }
        for (int step = 0; step < 20000; step++) {
                for (int i = 0; i < SHARERS; i++)
                        while (p[i]->queued < 8)
                                stage_submit(&st, p[i], 0);
                stage_settle(&st);
                st.now += MS(1);
                for (int i = 0; i < STAGE_SEATS; i++) {
                        struct seat *seat = &st.seats[i].seat;

                        if (!st.seats[i].live)
                                continue;
                        if (seat->state == SEAT_STARTING)
                                scheduler_seat_ready(&st.s, seat, st.now);
                        for (int k = 0; seat->task && k < SHARERS; k++)
                                if (seat->task->project == p[k] && st.now - seat->task->since >= cost[k]) {
                                        got[k] += (double)cost[k];
                                        stage_end(&st, seat, TASK_SUCCEEDED, cost[k]);
                                }
                }
        }
        stage_fini(&st);
}

static void assert_shares(enum isolation isolation, int seats, const int64_t cost[SHARERS])
{
        static const uint32_t weight[SHARERS] = {1, 2, 4};
        double got[SHARERS] = {0}, all = 0;

        share(isolation, seats, cost, weight, got);
        for (int i = 0; i < SHARERS; i++)
                all += got[i];
        for (int i = 0; i < SHARERS; i++) {
                double due = all * weight[i] / 7;

                if (got[i] < 0.95 * due || got[i] > 1.05 * due)
                        fail_msg("project %d got %.3f of its share", i, got[i] / due);
        }
}

static void test_shares_by_weight(void **state)
{
        static const int64_t equal[] = {MS(2), MS(2), MS(2)}, unequal[] = {MS(40), MS(2), MS(7)};

        (void)state;
        for (int seats = 1; seats <= 4; seats += 3)
                for (enum isolation i = ISOLATION_HEAP; i <= ISOLATION_PROCESS; i++) {
                        assert_shares(i, seats, equal);
                        assert_shares(i, seats, unequal);
                }
}

static void test_flood_delays_single_task_by_one_task_only(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *single;

        (void)state;
        config.aging_interval = MS(100);
        stage_init(&st, &config);
        stage_seat(&st);
        for (int i = 0; i < 2000; i++)
                stage_submit(&st, stage_project(&st, "flood"), 0);
        stage_settle(&st);
        for (int i = 0; i < 500; i++)
                next_after(&st, MS(20));
        single = stage_submit(&st, stage_project(&st, "single"), 0);
        assert_ptr_equal(next_after(&st, MS(20)), single);
        stage_fini(&st);
}

static void test_idle_time_saves_nothing_up(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        int late = 0;

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        for (int i = 0; i < 600; i++)
                stage_submit(&st, stage_project(&st, "busy"), 0);
        stage_settle(&st);
        for (int i = 0; i < 500; i++)
                next_after(&st, MS(10));
        for (int i = 0; i < 100; i++)
                stage_submit(&st, stage_project(&st, "late"), 0);
        for (int i = 0; i < 40; i++)
                late += next_after(&st, MS(10))->project == stage_project(&st, "late");
        assert_in_range(late, 19, 21);
        stage_fini(&st);
}

/* Who used a pool that nobody else wanted owes nothing. */
static void test_idle_pool_forgets_debts(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        int old = 0;

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        stage_submit(&st, stage_project(&st, "old"), 0);
        stage_settle(&st);
        next_after(&st, MS(10000));
        for (int i = 0; i < 40; i++) {
                stage_submit(&st, stage_project(&st, "new"), 0);
                stage_submit(&st, stage_project(&st, "old"), 0);
        }
        stage_settle(&st);
        for (int i = 0; i < 40; i++)
                old += next_after(&st, MS(10))->project == stage_project(&st, "old");
        assert_in_range(old, 19, 21);
        stage_fini(&st);
}

/* A project that waits below others must not come back with a claim to everything. */
static void test_waiting_below_saves_nothing_up(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        int old = 0;

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        for (int i = 0; i < 300; i++)
                stage_submit(&st, stage_project(&st, "high"), 9);
        for (int i = 0; i < 100; i++)
                stage_submit(&st, stage_project(&st, "old"), 1);
        stage_settle(&st);
        for (int i = 0; i < 299; i++)
                assert_ptr_equal(next_after(&st, MS(10))->project, stage_project(&st, "high"));
        for (int i = 0; i < 100; i++)
                stage_submit(&st, stage_project(&st, "new"), 1);
        for (int i = 0; i < 40; i++)
                old += next_after(&st, MS(10))->project == stage_project(&st, "old");
        assert_in_range(old, 19, 21);
        stage_fini(&st);
}

static void test_aging_bound(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *low[5];

        (void)state;
        config.aging_interval = MS(100);
        stage_init(&st, &config);
        stage_seat(&st);
        for (int i = 0; i < 5; i++)
                low[i] = stage_submit(&st, stage_project(&st, "low"), 0);
        stage_submit(&st, stage_project(&st, "high"), 10);
        stage_settle(&st);
        for (int step = 0; low[4]->state == TASK_QUEUED; step++) {
                assert_true(step < 1000);
                stage_submit(&st, stage_project(&st, "high"), 10);
                stage_submit(&st, stage_project(&st, "high"), 10);
                next_after(&st, MS(7));
        }
        /* To the top in ten intervals, then one more each, and at most two tasks of others between. */
        for (int i = 0; i < 5; i++) {
                assert_true(low[i]->waited >= (10 + i) * MS(100));
                assert_true(low[i]->waited <= (10 + i) * MS(100) + 3 * MS(7) * (i + 1));
        }
        stage_fini(&st);
}

/* ---- limits ---- */

/* The Node version gave usage back to the wrong project, so that a limit closed for good. */
static void test_limit_opens_again(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct project *a, *b;
        struct stage st;

        (void)state;
        stage_init(&st, &config);
        a = stage_project(&st, "a");
        b = stage_project(&st, "b");
        settings.limit = 1;
        scheduler_project_set(&st.s, a, &settings, st.now);
        stage_seat(&st);
        stage_seat(&st);
        for (int round = 0; round < 50; round++) {
                struct task *ta = stage_submit(&st, a, 0), *other = stage_submit(&st, a, 0),
                            *tb = stage_submit(&st, b, 0);

                stage_settle(&st);
                assert_int_equal(a->running, 1);
                assert_int_equal(b->running, 1);
                stage_end(&st, stage_seat_of(&st, tb), TASK_FAILED, MS(1));
                stage_settle(&st);
                assert_int_equal(a->running, 1); /* b's end gives a nothing */
                assert_int_equal(scheduler_explain(&st.s, other, st.now).reason, WAIT_LIMIT);
                stage_end(&st, stage_seat_of(&st, ta), TASK_SUCCEEDED, MS(1));
                stage_settle(&st);
                stage_end(&st, stage_seat_of(&st, other), TASK_SUCCEEDED, MS(1));
        }
        assert_int_equal(a->running, 0);
        assert_int_equal(a->completed, 100);
        assert_int_equal(b->failed, 50);
        stage_fini(&st);
}

/* The Node version checked the limit at submit only, and threw. */
static void test_limit_queues_by_default(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct project *p;
        struct stage st;

        (void)state;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        settings.limit = 2;
        scheduler_project_set(&st.s, p, &settings, st.now);
        for (int i = 0; i < 4; i++)
                stage_seat(&st);
        for (int i = 0; i < 10; i++)
                stage_submit(&st, p, 0);
        stage_settle(&st);
        assert_int_equal(p->running, 2);
        assert_int_equal(scheduler_load(&st.s).runnable, 0);
        settings.limit = 3;
        scheduler_project_set(&st.s, p, &settings, st.now);
        stage_settle(&st);
        assert_int_equal(p->running, 3);
        settings.limit = 1; /* what runs goes on, nothing new starts */
        scheduler_project_set(&st.s, p, &settings, st.now);
        stage_settle(&st);
        assert_int_equal(p->running, 3);
        settings.limit = 0;
        scheduler_project_set(&st.s, p, &settings, st.now);
        stage_settle(&st);
        assert_int_equal(p->running, 4);
        stage_fini(&st);
}

static void test_pause_and_resume(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct project *p;
        struct stage st;
        struct task *t;

        (void)state;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        settings.paused = true;
        scheduler_project_set(&st.s, p, &settings, st.now);
        stage_seat(&st);
        t = stage_submit(&st, p, 0);
        stage_settle(&st);
        assert_int_equal(scheduler_explain(&st.s, t, st.now).reason, WAIT_PAUSED);
        scheduler_project_set(&st.s, p, NULL, st.now);
        stage_settle(&st);
        assert_int_equal(t->state, TASK_RUNNING);
        assert_int_equal(scheduler_explain(&st.s, t, st.now).reason, WAIT_NOT);
        stage_fini(&st);
}

static void test_rate_wakes_up(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct project *p;
        struct stage st;
        struct task *second;

        (void)state;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        settings.rate = 4;
        scheduler_project_set(&st.s, p, &settings, st.now);
        stage_seat(&st);
        stage_seat(&st);
        stage_submit(&st, p, 0);
        second = stage_submit(&st, p, 0);
        stage_settle(&st);
        assert_int_equal(p->running, 1);
        assert_int_equal(scheduler_explain(&st.s, second, st.now).reason, WAIT_RATE);
        assert_int_equal(scheduler_explain(&st.s, second, st.now).until, st.now + MS(250));
        assert_int_equal(scheduler_next_wake(&st.s), st.now + MS(250));
        st.now += MS(250) - 1;
        stage_settle(&st);
        assert_int_equal(p->running, 1);
        st.now++;
        stage_settle(&st);
        assert_int_equal(p->running, 2);
        assert_int_equal(scheduler_next_wake(&st.s), INT64_MAX);
        stage_fini(&st);
}

/* ---- time ---- */

static void test_delay(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *t;

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        t = stage_task(stage_project(&st, "p"), 0);
        t->not_before = st.now + MS(50);
        assert_int_equal(stage_offer(&st, t), WIRE_OK);
        stage_settle(&st);
        assert_int_equal(t->state, TASK_DELAYED);
        assert_int_equal(scheduler_explain(&st.s, t, st.now).until, t->not_before);
        assert_int_equal(scheduler_next_wake(&st.s), t->not_before);
        st.now = t->not_before - 1;
        stage_settle(&st);
        assert_int_equal(t->state, TASK_DELAYED);
        st.now++;
        stage_settle(&st);
        assert_int_equal(t->state, TASK_RUNNING);
        stage_fini(&st);
}

static void test_start_deadline_is_for_the_first_attempt(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *late, *started;
        struct seat *seat;

        (void)state;
        stage_init(&st, &config);
        seat = stage_seat(&st);
        started = stage_task(stage_project(&st, "p"), 1);
        late = stage_task(stage_project(&st, "p"), 0);
        started->start_deadline = late->start_deadline = st.now + MS(10);
        assert_int_equal(stage_offer(&st, started), WIRE_OK);
        assert_int_equal(stage_offer(&st, late), WIRE_OK);
        stage_settle(&st);
        st.now += MS(20);
        stage_settle(&st);
        assert_int_equal(late->state, TASK_FAILED);
        assert_int_equal(st.n_expired, 1);
        stage_end_retry(&st, seat, st.now + MS(5), MS(20), false);
        assert_int_equal(started->state, TASK_DELAYED);
        st.now += MS(5);
        stage_settle(&st);
        assert_int_equal(started->state, TASK_RUNNING);
        stage_fini(&st);
}

/* ---- seats ---- */

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

/* ---- refusals ---- */

static enum wire_code refused(struct stage *st, struct project *p, int priority, int64_t *retry_after)
{
        struct wire_refusal why = {0};
        struct task *t = stage_task(p, priority);

        assert_int_equal(scheduler_accept(&st->s, t, st->now, &why, retry_after), 1);
        assert_true(strlen(why.message) > 10);
        assert_int_equal(t->state, TASK_NEW);
        task_free(t);
        return why.code;
}

static void test_queue_full(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        int64_t retry_after;

        (void)state;
        config.max_length = 32;
        stage_init(&st, &config);
        stage_seat(&st);
        for (int i = 0; i < 32; i++)
                stage_submit(&st, stage_project(&st, "p"), 0);
        assert_int_equal(refused(&st, stage_project(&st, "q"), 0, &retry_after), WIRE_QUEUE_FULL);
        assert_true(retry_after > 0);
        stage_settle(&st);
        for (int i = 0; i < 200; i++) {
                stage_submit(&st, stage_project(&st, "p"), 0);
                next_after(&st, MS(100));
        }
        stage_submit(&st, stage_project(&st, "p"), 0);
        /* A sixteenth of the queue, two tasks, at ten a second. */
        assert_int_equal(refused(&st, stage_project(&st, "q"), 0, &retry_after), WIRE_QUEUE_FULL);
        assert_in_range(retry_after, 195, 205);
        assert_int_equal(st.s.counts.refused, 2);
        assert_int_equal(stage_project(&st, "q")->refused, 2);
        stage_fini(&st);
}

static void test_project_refusals(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct stage st;
        struct project *p;
        int64_t retry_after;

        (void)state;
        config.reject_on_limit = true;
        stage_init(&st, &config);
        p = stage_project(&st, "p");
        settings.max_priority = 4;
        settings.limit = 2;
        scheduler_project_set(&st.s, p, &settings, st.now);
        assert_int_equal(refused(&st, p, 5, &retry_after), WIRE_INVALID_OPTION);
        assert_int_equal(retry_after, -1);
        stage_submit(&st, p, 4);
        stage_submit(&st, p, 4);
        assert_int_equal(refused(&st, p, 4, &retry_after), WIRE_PROJECT_LIMIT);
        assert_true(retry_after > 0);
        settings.limit = 0;
        settings.max_queued = 2;
        scheduler_project_set(&st.s, p, &settings, st.now);
        assert_int_equal(refused(&st, p, 0, &retry_after), WIRE_PROJECT_LIMIT);
        settings.max_queued = 0;
        settings.rate = 5;
        scheduler_project_set(&st.s, p, &settings, st.now);
        assert_int_equal(refused(&st, p, 0, &retry_after), WIRE_PROJECT_LIMIT);
        settings.paused = true;
        scheduler_project_set(&st.s, p, &settings, st.now);
        assert_int_equal(refused(&st, p, 0, &retry_after), WIRE_PROJECT_PAUSED);
        scheduler_set_mode(&st.s, SCHEDULER_DRAINING, st.now);
        assert_int_equal(refused(&st, stage_project(&st, "q"), 0, &retry_after), WIRE_SHUTTING_DOWN);
        stage_fini(&st);
}

static void test_project_names_and_forgetting(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct wire_refusal why;
        struct project *p;
        struct stage st;
        char name[32];

        (void)state;
        stage_init(&st, &config);
        assert_int_equal(scheduler_project(&st.s, wire_str("no spaces"), &p, &why), 1);
        assert_int_equal(why.code, WIRE_INVALID_OPTION);
        scheduler_project_set(&st.s, stage_project(&st, "kept"), &settings, st.now);
        stage_submit(&st, stage_project(&st, "used"), 0);
        for (int i = 0; i < 3 * SCHEDULER_FORGETTABLE_MAX; i++) {
                snprintf(name, sizeof(name), "passing-%d", i);
                stage_project(&st, name);
        }
        assert_int_equal(st.s.projects.n_nodes, SCHEDULER_FORGETTABLE_MAX + 2);
        assert_non_null(scheduler_project_find(&st.s, wire_str("kept")));
        assert_non_null(scheduler_project_find(&st.s, wire_str("used")));
        assert_null(scheduler_project_find(&st.s, wire_str("passing-0")));
        stage_fini(&st);
}

/* ---- drain, cancel, revive, reload ---- */

static void test_modes(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *first, *second;

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        first = stage_submit(&st, stage_project(&st, "p"), 0);
        second = stage_submit(&st, stage_project(&st, "p"), 0);
        scheduler_set_mode(&st.s, SCHEDULER_DRAINING, st.now);
        stage_settle(&st);
        assert_int_equal(first->state, TASK_RUNNING);
        scheduler_set_mode(&st.s, SCHEDULER_STOPPING, st.now);
        assert_null(next_after(&st, MS(1)));
        assert_int_equal(second->state, TASK_QUEUED);
        assert_int_equal(scheduler_explain(&st.s, second, st.now).reason, WAIT_STOPPING);
        stage_fini(&st);
}

static void test_cancel(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *running, *queued, *delayed;

        (void)state;
        stage_init(&st, &config);
        stage_seat(&st);
        running = stage_submit(&st, stage_project(&st, "p"), 0);
        queued = stage_submit(&st, stage_project(&st, "p"), 0);
        delayed = stage_task(stage_project(&st, "p"), 0);
        delayed->not_before = st.now + MS(5);
        assert_int_equal(stage_offer(&st, delayed), WIRE_OK);
        stage_settle(&st);
        assert_int_equal(scheduler_cancel(&st.s, running, st.now), CANCEL_RUNNING);
        assert_true(running->cancel_asked);
        assert_int_equal(running->state, TASK_RUNNING);
        assert_int_equal(scheduler_cancel(&st.s, queued, st.now), CANCEL_DONE);
        assert_int_equal(scheduler_cancel(&st.s, delayed, st.now), CANCEL_DONE);
        assert_int_equal(scheduler_cancel(&st.s, delayed, st.now), CANCEL_ENDED);
        assert_int_equal(queued->state, TASK_CANCELLED);
        st.now += MS(10);
        stage_end(&st, stage_seat_of(&st, running), TASK_CANCELLED, MS(10));
        stage_settle(&st);
        assert_int_equal(st.n_started, 1);
        assert_int_equal(st.s.counts.cancelled, 3);
        stage_fini(&st);
}

static void test_crash_and_retry_take_another_seat(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *seat;
        struct task *t;

        (void)state;
        stage_init(&st, &config);
        seat = stage_seat(&st);
        t = stage_submit(&st, stage_project(&st, "p"), 0);
        stage_settle(&st);
        stage_end_retry(&st, seat, st.now, MS(1), true);
        assert_false(stage_of(seat)->live);
        assert_int_equal(t->state, TASK_QUEUED);
        assert_int_equal(scheduler_load(&st.s).seats, 0);
        stage_settle(&st);
        stage_seat(&st);
        stage_settle(&st);
        assert_int_equal(t->state, TASK_RUNNING);
        assert_int_equal(t->generation, 2);
        assert_int_equal(st.s.counts.retried, 1);
        stage_fini(&st);
}

static void test_revive_a_dead_task(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct seat *seat;
        struct task *t;

        (void)state;
        stage_init(&st, &config);
        seat = stage_seat(&st);
        t = stage_task(stage_project(&st, "p"), 0);
        t->payload = (struct bytes){(uint8_t *)strdup("x"), 1};
        assert_int_equal(stage_offer(&st, t), WIRE_OK);
        stage_settle(&st);
        assert_int_equal(scheduler_revive(&st.s, t, st.now), REVIVE_NOT_DEAD);
        stage_end(&st, seat, TASK_DEAD, MS(1));
        t->kills = 3;
        t->quarantined = true;
        assert_int_equal(scheduler_revive(&st.s, t, st.now), 0);
        assert_int_equal(t->kills + t->n_attempts + t->quarantined, 0);
        stage_settle(&st);
        assert_int_equal(t->state, TASK_RUNNING);
        stage_fini(&st);
}

static void test_explain_position(void **state)
{
        struct scheduler_config config = stage_config();
        struct stage st;
        struct task *t[5];
        struct wait_verdict v;

        (void)state;
        stage_init(&st, &config);
        for (int i = 0; i < 5; i++)
                t[i] = stage_submit(&st, stage_project(&st, "p"), 0);
        stage_settle(&st);
        assert_int_equal(scheduler_explain(&st.s, t[0], st.now).reason, WAIT_SEAT);
        v = scheduler_explain(&st.s, t[4], st.now);
        assert_int_equal(v.reason, WAIT_TURN);
        assert_int_equal(v.position, 4);
        stage_fini(&st);
}

static void test_defaults_change_live(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings own = stage_settings();
        struct stage st;

        (void)state;
        stage_init(&st, &config);
        own.limit = 7;
        scheduler_project_set(&st.s, stage_project(&st, "own"), &own, st.now);
        stage_project(&st, "other");
        config.defaults.limit = 3;
        config.isolation = ISOLATION_PROCESS;
        scheduler_configure(&st.s, &config, st.now);
        assert_int_equal(stage_project(&st, "own")->settings.limit, 7);
        assert_int_equal(stage_project(&st, "other")->settings.limit, 3);
        assert_int_equal(stage_project(&st, "new")->settings.limit, 3);
        stage_fini(&st);
}

static size_t heap_in_use(void)
{
        struct mallinfo2 info = mallinfo2();

        return info.uordblks + info.hblkhd;
}

static void test_memory_of_a_queued_task(void **state)
{
        enum { TASKS = 100000, MOST = 300 };
        struct scheduler_config config = stage_config();
        struct stage st;
        size_t before = heap_in_use(), used;

        (void)state;
        if (!before)
                skip(); /* under a sanitizer or valgrind, whose allocators do not count this way */
        stage_init(&st, &config);
        for (int i = 0; i < TASKS; i++)
                stage_submit(&st, stage_project(&st, "p"), 0);
        used = heap_in_use() - before;
        print_message("# %zu bytes a task\n", used / TASKS);
        assert_true(used > TASKS * sizeof(struct task));
        /* The shell's map by id takes 16 bytes of the allowance at most, the payload's own allocation another 16. */
        assert_true(used / TASKS <= MOST - 32);
        stage_fini(&st);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_priority_then_fifo),
                cmocka_unit_test(test_priority_holds_between_projects),
                cmocka_unit_test(test_shares_by_weight),
                cmocka_unit_test(test_flood_delays_single_task_by_one_task_only),
                cmocka_unit_test(test_idle_time_saves_nothing_up),
                cmocka_unit_test(test_idle_pool_forgets_debts),
                cmocka_unit_test(test_waiting_below_saves_nothing_up),
                cmocka_unit_test(test_aging_bound),
                cmocka_unit_test(test_limit_opens_again),
                cmocka_unit_test(test_limit_queues_by_default),
                cmocka_unit_test(test_pause_and_resume),
                cmocka_unit_test(test_rate_wakes_up),
                cmocka_unit_test(test_delay),
                cmocka_unit_test(test_start_deadline_is_for_the_first_attempt),
                cmocka_unit_test(test_a_seat_serves_one_project),
                cmocka_unit_test(test_bound_then_fresh_then_longest_idle),
                cmocka_unit_test(test_nothing_is_replaced_while_one_is_starting),
                cmocka_unit_test(test_classes_take_room_in_order),
                cmocka_unit_test(test_strictest_isolation_wins),
                cmocka_unit_test(test_process_isolation_spends_the_seat),
                cmocka_unit_test(test_retiring_seat_finishes_its_task),
                cmocka_unit_test(test_load_is_not_capped),
                cmocka_unit_test(test_queue_full),
                cmocka_unit_test(test_project_refusals),
                cmocka_unit_test(test_project_names_and_forgetting),
                cmocka_unit_test(test_modes),
                cmocka_unit_test(test_cancel),
                cmocka_unit_test(test_crash_and_retry_take_another_seat),
                cmocka_unit_test(test_revive_a_dead_task),
                cmocka_unit_test(test_explain_position),
                cmocka_unit_test(test_defaults_change_live),
                cmocka_unit_test(test_memory_of_a_queued_task),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
