/* Finding tasks again, letting go of old ones, and the records that are made of them. */
#include "master/registry.h"
#include "master/task_types.h"

#include "base/clock.h"
#include "master/record.h"
#include "wire/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct scheduler scheduler;
static struct registry registry;
static int64_t now;

static int setup(void **state)
{
        (void)state;
        now = NS_PER_S;
        scheduler_init(&scheduler, &(struct scheduler_config){.defaults = {.weight = 1, .max_priority = 10}});
        registry_init(&registry, &scheduler);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        registry_fini(&registry);
        scheduler_fini(&scheduler);
        return 0;
}

static struct bytes text(const char *s)
{
        return bytes_dup(wire_str(s));
}

static const struct task_type type = {.name = "execute-code"};

static struct task *add(const char *project, const char *key, int64_t ttl)
{
        struct task *t = task_new(uuid_new(), text("\x81\xa4type\xac" "execute-code"));
        struct wire_refusal why;
        int64_t retry_after;

        assert_non_null(t);
        t->type = &type;
        t->created_wall = 1000;
        t->result_ttl = ttl;
        if (key)
                task_extra(t)->key = text(key);
        assert_int_equal(scheduler_project(&scheduler, wire_str(project), &t->project, &why), 0);
        assert_int_equal(scheduler_accept(&scheduler, t, now, &why, &retry_after), 0);
        assert_int_equal(registry_add(&registry, t), 0);
        return t;
}

/* As the shell does it for a task that never ran. */
static void cancel(struct task *t, size_t value_bytes)
{
        struct task_outcome *o = task_outcome_reset(t);

        assert_int_equal(scheduler_cancel(&scheduler, t, now), CANCEL_DONE);
        o->code = WIRE_CANCELLED;
        o->error = record_error(WIRE_CANCELLED, "it was");
        if (value_bytes)
                o->logs = (struct bytes){calloc(1, value_bytes), value_bytes};
        task_drop_payload(t);
        registry_keep(&registry, t);
}

static void test_by_id(void **state)
{
        struct uuid other = uuid_new();
        struct task *all[100];

        (void)state;
        for (int i = 0; i < 100; i++)
                all[i] = add("p", NULL, 0);
        for (int i = 0; i < 100; i++)
                assert_ptr_equal(registry_find(&registry, &all[i]->id), all[i]);
        assert_null(registry_find(&registry, &other));
}

static void test_a_key_is_its_projects_own(void **state)
{
        struct task *a = add("a", "key", 0), *b = add("b", "key", 0);

        (void)state;
        assert_ptr_equal(registry_find_key(&registry, wire_str("a"), wire_str("key")), a);
        assert_ptr_equal(registry_find_key(&registry, wire_str("b"), wire_str("key")), b);
        assert_null(registry_find_key(&registry, wire_str("c"), wire_str("key")));
        assert_null(registry_find_key(&registry, wire_str("a"), wire_str("kez")));
}

static void test_ends_are_let_go_in_their_order(void **state)
{
        struct task *first = add("p", "k1", NS_PER_S), *second = add("p", NULL, NS_PER_S), *queued = add("p", NULL, 1);
        struct uuid first_id = first->id, second_id = second->id;

        (void)state;
        cancel(first, 0);
        now += NS_PER_S / 2;
        cancel(second, 0);
        assert_int_equal(registry_expire(&registry, now), 2 * NS_PER_S);
        assert_non_null(registry_find(&registry, &first_id));
        assert_int_equal(registry_expire(&registry, 2 * NS_PER_S), 2 * NS_PER_S + NS_PER_S / 2);
        assert_null(registry_find(&registry, &first_id));
        assert_null(registry_find_key(&registry, wire_str("p"), wire_str("k1")));
        assert_non_null(registry_find(&registry, &second_id));
        assert_true(registry_expire(&registry, 100 * NS_PER_S) == INT64_MAX);
        assert_null(registry_find(&registry, &second_id));
        assert_ptr_equal(registry_find(&registry, &queued->id), queued);
        assert_int_equal(registry.n_tasks, 1);
        assert_int_equal(registry.kept_bytes, 0);
}

static void test_without_a_time_to_live_only_the_budget_ends_it(void **state)
{
        struct task *t = add("p", NULL, 0);

        (void)state;
        cancel(t, 0);
        assert_true(registry_expire(&registry, INT64_MAX - 1) == INT64_MAX);
        assert_int_equal(registry.n_tasks, 1);
}

static void test_a_long_lived_record_holds_up_no_other(void **state)
{
        struct task *lasting = add("p", NULL, 0), *late = add("p", NULL, 9 * NS_PER_S), *soon = add("p", NULL, NS_PER_S);
        struct uuid id = soon->id;

        (void)state;
        cancel(lasting, 0);
        cancel(late, 0);
        cancel(soon, 0);
        assert_int_equal(registry_expire(&registry, now), 2 * NS_PER_S);
        assert_int_equal(registry_expire(&registry, 2 * NS_PER_S), 10 * NS_PER_S);
        assert_null(registry_find(&registry, &id));
        assert_int_equal(registry.n_tasks, 2);
}

static void test_what_can_be_said_of_an_unknown_id(void **state)
{
        struct uuid gone, old = {.bytes = {[6] = 0x70}}, future = {.bytes = {0xff, [6] = 0x70}}, random = {{[6] = 0x40}};
        struct task *t = add("p", NULL, 1), *queued = add("p", NULL, 1);

        (void)state;
        gone = t->id;
        assert_int_equal(registry_absence(&registry, &gone), REGISTRY_UNKNOWN);
        cancel(t, 0);
        registry_expire(&registry, 2 * NS_PER_S);
        assert_int_equal(registry_absence(&registry, &gone), REGISTRY_LET_GO);
        assert_int_equal(registry_absence(&registry, &old), REGISTRY_BEFORE_START);
        assert_int_equal(registry_absence(&registry, &future), REGISTRY_UNKNOWN);
        assert_int_equal(registry_absence(&registry, &random), REGISTRY_UNKNOWN);
        assert_int_equal(registry_absence(&registry, &queued->id), REGISTRY_UNKNOWN);
}

static void test_expiry_is_done_in_bounded_steps(void **state)
{
        (void)state;
        for (int i = 0; i < 1500; i++)
                cancel(add("p", NULL, 1), 0);
        assert_int_equal(registry_expire(&registry, 10 * NS_PER_S), 10 * NS_PER_S);
        assert_int_equal(registry.n_tasks, 500);
        assert_true(registry_expire(&registry, 10 * NS_PER_S) == INT64_MAX);
        assert_int_equal(registry.n_tasks, 0);
}

static void test_the_oldest_end_goes_over_budget(void **state)
{
        struct uuid ids[5];

        (void)state;
        registry_set_budget(&registry, 3 * 10000 + 5000);
        for (int i = 0; i < 5; i++) {
                struct task *t = add("p", NULL, 0);

                ids[i] = t->id;
                cancel(t, 10000);
                assert_in_range(registry.kept_bytes, 1, registry.kept_bytes_max);
        }
        for (int i = 0; i < 5; i++)
                assert_int_equal(registry_find(&registry, &ids[i]) != NULL, i >= 2);
        registry_set_budget(&registry, 1);
        assert_int_equal(registry.n_tasks, 0);
        assert_int_equal(registry.kept_bytes, 0);
}

static void test_one_larger_than_the_budget_is_not_kept(void **state)
{
        (void)state;
        registry_set_budget(&registry, 5000);
        cancel(add("p", NULL, 0), 10000);
        assert_int_equal(registry.n_tasks, 0);
}

/* ---- records ---- */

static void expect_keys(const struct task *t, const char *const *keys, size_t n)
{
        struct wire_value map;
        struct bytes value;
        struct cursor c;
        struct buf out;

        buf_init(&out, 0);
        assert_int_equal(record_write(&out, t), 0);
        assert_int_equal(wire_check(buf_bytes(&out)), 0);
        c = cursor_over(buf_bytes(&out));
        assert_int_equal(cursor_read(&c, &map), 0);
        assert_int_equal(map.count, n);
        for (size_t i = 0; i < n; i++)
                if (!wire_lookup(buf_bytes(&out), keys[i], &value))
                        fail_msg("no %s", keys[i]);
        assert_true(wire_lookup_str(buf_bytes(&out), "state", &value));
        assert_true(wire_str_is(value, task_state_name(t->state)));
        buf_fini(&out);
}

#define IDENTITY "id", "type", "projectId", "priority", "state", "createdAt", "queuedMs", "attempts"
#define OUTCOME "runMs", "cpuMs", "maxMemoryBytes", "truncated"
#define EXPECT_KEYS(t, ...)                                                                                  \
        do {                                                                                                 \
                static const char *const keys_[] = {__VA_ARGS__};                                            \
                expect_keys(t, keys_, sizeof(keys_) / sizeof(keys_[0]));                                     \
        } while (0)

static void test_record_of_a_queued_and_a_cancelled_task(void **state)
{
        struct task *t = add("p", "key", 0);

        (void)state;
        EXPECT_KEYS(t, IDENTITY, "key");
        cancel(t, 0);
        EXPECT_KEYS(t, IDENTITY, OUTCOME, "error", "key");
}

static void test_record_of_a_task_that_ran(void **state)
{
        struct task *t = add("p", NULL, 0);
        struct seat seat;
        struct run run;
        struct attempt_use use = {.run_ns = 5};
        struct task_outcome *o;

        (void)state;
        scheduler_seat_added(&scheduler, &seat, CLASS_JS, 1);
        scheduler_seat_ready(&scheduler, &seat, now);
        assert_int_equal(task_attempt_begin(t, 1, 2, 3), 0);
        scheduler_started(&scheduler, t, &seat, &run, now);
        EXPECT_KEYS(t, IDENTITY);
        task_attempt_end(t, WIRE_OK, false, 4);
        o = task_outcome_reset(t);
        o->value = text("\xc0");
        o->logs = text("\x90");
        o->isolation = wire_str("\x81\xa7seccomp\xa8" "enforced");
        scheduler_ended(&scheduler, &run, &use, now);
        scheduler_finish(&scheduler, t, TASK_SUCCEEDED, now);
        registry_keep(&registry, t);
        EXPECT_KEYS(t, IDENTITY, OUTCOME, "value", "logs", "isolation");
        scheduler_seat_gone(&scheduler, &seat, now);
}

static void test_line_of_a_list(void **state)
{
        struct task *t = add("p", NULL, 0);
        struct bytes value;
        struct pack p;
        struct buf out;

        (void)state;
        cancel(t, 0);
        buf_init(&out, 0);
        pack_init(&p, &out);
        record_write_line(&p, t);
        assert_int_equal(p.error, 0);
        assert_int_equal(wire_check(buf_bytes(&out)), 0);
        assert_true(wire_lookup_str(buf_bytes(&out), "code", &value));
        assert_true(wire_str_is(value, "CANCELLED"));
        assert_false(wire_lookup(buf_bytes(&out), "error", &value));
        buf_fini(&out);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
        static const struct CMUnitTest tests[] = {
                T(by_id),
                T(a_key_is_its_projects_own),
                T(ends_are_let_go_in_their_order),
                T(without_a_time_to_live_only_the_budget_ends_it),
                T(a_long_lived_record_holds_up_no_other),
                T(what_can_be_said_of_an_unknown_id),
                T(expiry_is_done_in_bounded_steps),
                T(the_oldest_end_goes_over_budget),
                T(one_larger_than_the_budget_is_not_kept),
                T(record_of_a_queued_and_a_cancelled_task),
                T(record_of_a_task_that_ran),
                T(line_of_a_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
