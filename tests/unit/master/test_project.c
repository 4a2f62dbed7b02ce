/* Projects by themselves: names, room, tokens; and how the levels of a lane rise and fall. */
#include "base/clock.h"
#include "master/project.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct bytes text(const char *s)
{
        return (struct bytes){(const uint8_t *)s, strlen(s)};
}

static struct project *make(double rate)
{
        struct project_settings settings = {.weight = 1, .max_priority = 10, .rate = rate};
        struct project *p = project_new(text("p"), &settings);

        assert_non_null(p);
        return p;
}

static void test_names(void **state)
{
        char longest[PROJECT_NAME_MAX + 2];

        (void)state;
        memset(longest, 'a', sizeof(longest));
        assert_true(project_name_valid(text("a")));
        assert_true(project_name_valid(text("Org/team_1:ci-2.x")));
        assert_true(project_name_valid((struct bytes){(uint8_t *)longest, PROJECT_NAME_MAX}));
        assert_false(project_name_valid((struct bytes){(uint8_t *)longest, PROJECT_NAME_MAX + 1}));
        assert_false(project_name_valid(text("")));
        assert_false(project_name_valid(text("a b")));
        assert_false(project_name_valid(text("\xc3\xa4")));
        assert_false(project_name_valid((struct bytes){(const uint8_t *)"a\0b", 3}));
}

static void test_room(void **state)
{
        struct project *p = make(0);

        (void)state;
        assert_int_equal(project_room(p), UINT64_MAX);
        p->settings.limit = 3;
        p->running = 1;
        assert_int_equal(project_room(p), 2);
        p->running = 5;
        assert_int_equal(project_room(p), 0);
        p->settings.limit = 0;
        p->settings.paused = true;
        assert_int_equal(project_room(p), 0);
        project_free(p);
}

/* Starts in `seconds` when every token is taken as soon as it is there. */
static int starts_within(double rate, int64_t seconds)
{
        struct project *p = make(rate);
        int64_t now = 5 * NS_PER_S, end = now + seconds * NS_PER_S;
        int n = 0;

        for (;; n++) {
                int64_t at = project_next_token(p, now);

                if (at >= end)
                        break;
                if (at > now) {
                        assert_int_equal(project_tokens(p, now), 0);
                        assert_int_equal(project_tokens(p, at - 1), 0);
                }
                now = at;
                assert_true(project_tokens(p, now) > 0);
                project_take_token(p, now);
        }
        project_free(p);
        return n;
}

static void test_rate(void **state)
{
        (void)state;
        assert_in_range(starts_within(1, 60), 60, 60);
        assert_in_range(starts_within(10, 10), 100, 101);
        assert_in_range(starts_within(1000, 1), 1000, 1100);
        assert_in_range(starts_within(10.0 / 60, 600), 100, 101);
}

static void test_bucket_fills_up_to_its_size(void **state)
{
        struct project *p = make(100);

        (void)state;
        assert_int_equal(project_tokens(p, NS_PER_S), 10);
        for (int i = 10; i > 0; i--) {
                assert_int_equal(project_tokens(p, NS_PER_S), i);
                project_take_token(p, NS_PER_S);
        }
        assert_int_equal(project_tokens(p, NS_PER_S), 0);
        assert_int_equal(project_tokens(p, NS_PER_S + 35 * NS_PER_MS), 3);
        assert_int_equal(project_tokens(p, 999 * NS_PER_S), 10);
        project_free(p);
}

static void test_new_rate_holds_at_once(void **state)
{
        struct project *p = make(1.0 / 3600);
        struct project_settings faster = p->settings;

        (void)state;
        project_take_token(p, 0);
        assert_int_equal(project_next_token(p, 0), 3600 * NS_PER_S);
        faster.rate = 10;
        project_apply(p, &faster, NS_PER_S);
        assert_true(project_next_token(p, 0) <= NS_PER_S + 100 * NS_PER_MS);
        project_free(p);
}

static void test_a_rate_of_almost_nothing_holds(void **state)
{
        static const double rates[] = {1e-9, 1e-10, 1e-300, 5e-324};

        (void)state;
        for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
                struct project *p = make(1);
                struct project_settings slower = p->settings;

                slower.rate = rates[i];
                project_apply(p, &slower, NS_PER_S);
                assert_int_equal(project_tokens(p, NS_PER_S), 1);
                project_take_token(p, NS_PER_S);
                assert_int_equal(project_tokens(p, 1000000 * NS_PER_S), 0);
                assert_true(project_next_token(p, NS_PER_S) > 1000000 * NS_PER_S);
                project_free(p);
        }
}

/* ---- lanes ---- */

static uint64_t sequence;

static struct task *enter(struct lane *l, int priority, int64_t now)
{
        struct task *t = task_new((struct uuid){{1}}, (struct bytes){0});

        assert_non_null(t);
        t->priority = (uint8_t)priority;
        t->sequence = sequence++;
        task_move(t, TASK_QUEUED, &l->levels[priority].tasks, now);
        lane_entered(l, t);
        return t;
}

static void leave(struct lane *l, struct task *t, bool served, int64_t now, int64_t aging)
{
        task_move(t, TASK_CANCELLED, NULL, now);
        lane_left(l, t, served, now, aging);
        task_free(t);
}

static void test_head_is_highest_then_oldest(void **state)
{
        struct project *p = make(0);
        struct lane *l = project_lane(p, CLASS_JS);
        struct task *low = enter(l, 2, 1), *high = enter(l, 7, 2), *later = enter(l, 7, 3);

        (void)state;
        assert_ptr_equal(project_lane(p, CLASS_JS), l);
        lane_refresh(l, 10, 0);
        assert_ptr_equal(l->head, high);
        assert_int_equal(l->rank, 7);
        assert_int_equal(l->next_rise, INT64_MAX);
        leave(l, high, true, 11, 0);
        lane_refresh(l, 11, 0);
        assert_ptr_equal(l->head, later);
        leave(l, later, true, 12, 0);
        lane_refresh(l, 12, 0);
        assert_ptr_equal(l->head, low);
        leave(l, low, true, 13, 0);
        lane_refresh(l, 13, 0);
        assert_null(l->head);
        project_free(p);
}

static void test_waiting_rises(void **state)
{
        struct project *p = make(0);
        struct lane *l = project_lane(p, CLASS_JS);
        struct task *low = enter(l, 0, 1000), *high = enter(l, 9, 1000);

        (void)state;
        lane_refresh(l, 1099, 100);
        assert_int_equal(l->rank, 9);
        assert_int_equal(l->next_rise, 1100);
        lane_refresh(l, 1100, 100);
        assert_int_equal(l->rank, 10);
        assert_ptr_equal(l->head, high);
        lane_refresh(l, 1999, 100);
        assert_ptr_equal(l->head, high);
        assert_int_equal(l->next_rise, 2000);
        lane_refresh(l, 2000, 100); /* both at the top: the older one */
        assert_ptr_equal(l->head, low);
        assert_int_equal(l->next_rise, INT64_MAX);
        leave(l, low, true, 2000, 100);
        leave(l, high, true, 2000, 100);
        project_free(p);
}

static void test_service_lowers(void **state)
{
        struct project *p = make(0);
        struct lane *l = project_lane(p, CLASS_JS);
        struct task *t[4];

        (void)state;
        for (int i = 0; i < 4; i++)
                t[i] = enter(l, 0, 1000);
        lane_refresh(l, 1350, 100);
        assert_int_equal(l->rank, 3);
        leave(l, t[0], true, 1350, 100);
        lane_refresh(l, 1350, 100);
        assert_int_equal(l->rank, 2);
        leave(l, t[1], false, 1350, 100); /* cancelled: that is no service */
        lane_refresh(l, 1350, 100);
        assert_int_equal(l->rank, 2);
        for (int i = 2; i < 4; i++)
                leave(l, t[i], true, 1350, 100);
        project_free(p);
}

static void test_own_limits_do_not_make_older(void **state)
{
        struct project *p = make(0);
        struct lane *l = project_lane(p, CLASS_JS);
        struct task *t = enter(l, 0, 1000);

        (void)state;
        l->blocked = 1250;
        lane_unblocked(l, 9000);
        lane_refresh(l, 9000, 100);
        assert_int_equal(l->rank, 2);
        leave(l, t, true, 9000, 100);
        project_free(p);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_room),
                cmocka_unit_test(test_rate),
                cmocka_unit_test(test_bucket_fills_up_to_its_size),
                cmocka_unit_test(test_new_rate_holds_at_once),
                cmocka_unit_test(test_a_rate_of_almost_nothing_holds),
                cmocka_unit_test(test_head_is_highest_then_oldest),
                cmocka_unit_test(test_waiting_rises),
                cmocka_unit_test(test_service_lowers),
                cmocka_unit_test(test_own_limits_do_not_make_older),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
