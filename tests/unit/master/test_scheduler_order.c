/* The order of tasks: priority, FIFO, shares by weight, ageing; what idle and waiting projects may not save up. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS(n) ((n) * NS_PER_MS)

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
                assert_ptr_equal(stage_next(&st, MS(3)), want[i]);
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
        assert_ptr_equal(stage_next(&st, MS(1)), low);
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
                        for (int k = 0; seat->n_runs && k < SHARERS; k++)
                                if (seat_task(seat)->project == p[k] && st.now - seat_task(seat)->since >= cost[k]) {
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
                stage_next(&st, MS(20));
        single = stage_submit(&st, stage_project(&st, "single"), 0);
        assert_ptr_equal(stage_next(&st, MS(20)), single);
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
                stage_next(&st, MS(10));
        for (int i = 0; i < 100; i++)
                stage_submit(&st, stage_project(&st, "late"), 0);
        for (int i = 0; i < 40; i++)
                late += stage_next(&st, MS(10))->project == stage_project(&st, "late");
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
        stage_next(&st, MS(10000));
        for (int i = 0; i < 40; i++) {
                stage_submit(&st, stage_project(&st, "new"), 0);
                stage_submit(&st, stage_project(&st, "old"), 0);
        }
        stage_settle(&st);
        for (int i = 0; i < 40; i++)
                old += stage_next(&st, MS(10))->project == stage_project(&st, "old");
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
                assert_ptr_equal(stage_next(&st, MS(10))->project, stage_project(&st, "high"));
        for (int i = 0; i < 100; i++)
                stage_submit(&st, stage_project(&st, "new"), 1);
        for (int i = 0; i < 40; i++)
                old += stage_next(&st, MS(10))->project == stage_project(&st, "old");
        assert_in_range(old, 19, 21);
        stage_fini(&st);
}

/* Who never has more than one task comes back each time with what the last one cost. */
static void test_debts_are_brought_along(void **state)
{
        struct scheduler_config config = stage_config();
        struct project *many, *one;
        double used[2] = {0};
        struct seat *seat;
        struct stage st;

        (void)state;
        stage_init(&st, &config);
        many = stage_project(&st, "many");
        one = stage_project(&st, "one");
        seat = stage_seat(&st);
        for (int i = 0; i < 500; i++)
                stage_submit(&st, many, 0);
        stage_submit(&st, one, 0);
        stage_settle(&st);
        for (int i = 0; i < 200; i++) {
                bool is_one = seat_task(seat)->project == one;
                int64_t cost = is_one ? MS(100) : MS(10);

                used[is_one] += (double)cost;
                st.now += cost;
                stage_end(&st, seat, TASK_SUCCEEDED, cost);
                if (is_one)
                        stage_submit(&st, one, 0);
                stage_settle(&st);
        }
        assert_true(used[1] < 1.1 * used[0] && used[0] < 1.1 * used[1]);
        stage_fini(&st);
}

/* While a seat is being started for the first lane, one that owes much goes on with a seat of its own. Who comes then starts
 * beside the first and not behind that one. */
static void test_who_passes_the_first_sets_nobody_back(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct stage_seat *shared;
        struct project *owes;
        struct seat *own;
        struct stage st;
        int late = 0;

        (void)state;
        config.max_seats = 2;
        stage_init(&st, &config);
        settings.isolation = ISOLATION_PROJECT;
        owes = stage_project(&st, "owes");
        scheduler_project_set(&st.s, owes, &settings, st.now);
        own = stage_seat(&st);
        stage_submit(&st, owes, 0);
        stage_submit(&st, owes, 0);
        stage_settle(&st);
        shared = stage_seat_start(&st, CLASS_JS);
        for (int i = 0; i < 60; i++)
                stage_submit(&st, stage_project(&st, "first"), 0);
        st.now += MS(10000);
        stage_end(&st, own, TASK_SUCCEEDED, MS(10000));
        stage_settle(&st);
        assert_ptr_equal(seat_task(own)->project, owes);

        for (int i = 0; i < 60; i++)
                stage_submit(&st, stage_project(&st, "late"), 0);
        scheduler_seat_ready(&st.s, &shared->seat, st.now);
        stage_settle(&st);
        for (int i = 0; i < 40; i++)
                late += stage_next(&st, MS(10))->project == stage_project(&st, "late");
        assert_in_range(late, 19, 21);
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
                stage_next(&st, MS(7));
        }
        /* To the top in ten intervals, then one more each, and at most two tasks of others between. */
        for (int i = 0; i < 5; i++) {
                assert_true(low[i]->waited >= (10 + i) * MS(100));
                assert_true(low[i]->waited <= (10 + i) * MS(100) + 3 * MS(7) * (i + 1));
        }
        stage_fini(&st);
}

/* Charged in advance under a great weight, given back under a small one: no claim may come of it. */
static void test_new_weight_gives_no_credit(void **state)
{
        struct scheduler_config config = stage_config();
        struct project_settings settings = stage_settings();
        struct stage st;
        struct project *a;
        int n = 0;

        (void)state;
        stage_init(&st, &config);
        a = stage_project(&st, "a");
        settings.weight = PROJECT_WEIGHT_MAX;
        scheduler_project_set(&st.s, a, &settings, st.now);
        stage_seat(&st);
        for (int i = 0; i < 100; i++)
                stage_submit(&st, a, 0);
        stage_settle(&st);
        for (int i = 0; i < 40; i++)
                stage_next(&st, MS(1000));
        settings.weight = 1;
        scheduler_project_set(&st.s, a, &settings, st.now);
        for (int i = 0; i < 50; i++)
                stage_submit(&st, stage_project(&st, "b"), 0);
        stage_next(&st, MS(1));
        for (int i = 0; i < 20; i++)
                n += stage_next(&st, MS(1))->project == a;
        assert_true(n <= 11);
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
                cmocka_unit_test(test_debts_are_brought_along),
                cmocka_unit_test(test_who_passes_the_first_sets_nobody_back),
                cmocka_unit_test(test_aging_bound),
                cmocka_unit_test(test_new_weight_gives_no_credit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
