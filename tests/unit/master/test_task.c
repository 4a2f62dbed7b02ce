/* A task's states: every pair of them, legal or not; its ledger of attempts. */
#include "base/clock.h"
#include "master/task.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define N TASK_STATE_COUNT

/* Rows: from; columns: to. In the order of the enum: new queued delayed running succeeded failed cancelled dead. */
static const char *const legal[N] = {
        [TASK_NEW] = ".xx.xxxx",
        [TASK_QUEUED] = "..xx.xx.",
        [TASK_DELAYED] = ".x...xxx",
        [TASK_RUNNING] = ".xx.xxxx",
        [TASK_SUCCEEDED] = "........",
        [TASK_FAILED] = "........",
        [TASK_CANCELLED] = "........",
        [TASK_DEAD] = ".x......",
};

static struct task *make(enum task_state state)
{
        struct task *t = task_new((struct uuid){{1}}, (struct bytes){0});

        assert_non_null(t);
        t->state = (uint8_t)state;
        return t;
}

/* Whether task_move() survives this edge, tried in a child because an illegal one aborts. */
static bool survives(enum task_state from, enum task_state to)
{
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (!pid) {
                struct task *t = make(from);

                signal(SIGABRT, SIG_DFL);
                fclose(stderr);
                task_move(t, to, NULL, 1);
                _exit(t->state == to ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_every_edge(void **state)
{
        (void)state;
        for (int from = 0; from < N; from++)
                for (int to = 0; to < N; to++) {
                        bool allowed = legal[from][to] == 'x';

                        assert_int_equal(task_edge_allowed(from, to), allowed);
                        assert_int_equal(survives(from, to), allowed);
                }
}

static void test_words(void **state)
{
        static const char words[] = "queued|delayed|running|succeeded|failed|cancelled|dead";

        (void)state;
        for (int i = TASK_QUEUED; i < N; i++) {
                struct bytes word = wire_word(words, (uint64_t)(i - TASK_QUEUED));

                assert_true(wire_str_is(word, task_state_name(i)));
        }
        for (int i = 0; i < N; i++) {
                struct task *t = make(i);

                assert_int_equal(task_ended(t), i >= TASK_SUCCEEDED);
                task_free(t);
        }
}

static void test_move_keeps_lists_and_times(void **state)
{
        struct list a = LIST_INIT(a), b = LIST_INIT(b);
        struct task *t = make(TASK_NEW);

        (void)state;
        task_move(t, TASK_QUEUED, &a, 100);
        assert_ptr_equal(list_first(&a), &t->node);
        task_move(t, TASK_RUNNING, &b, 130);
        assert_true(list_empty(&a));
        assert_ptr_equal(list_first(&b), &t->node);
        task_move(t, TASK_QUEUED, &a, 200);
        task_move(t, TASK_CANCELLED, NULL, 212);
        assert_true(list_empty(&a) && list_empty(&b));
        assert_int_equal(t->waited, 42);
        assert_int_equal(t->since, 212);
        task_free(t);
}

static void test_ledger(void **state)
{
        struct task *t = make(TASK_QUEUED);

        (void)state;
        for (uint32_t i = 0; i < 50; i++) {
                assert_int_equal(task_attempt_begin(t, i, (int32_t)(1000 + i), 10 * i + 1), 0);
                assert_int_equal(t->attempts[i].ended_wall, 0);
                task_attempt_end(t, WIRE_TIMEOUT, i % 2, 10 * i + 5);
        }
        assert_int_equal(t->n_attempts, 50);
        assert_int_equal(t->generation, 50);
        assert_int_equal(t->kills, 25);
        assert_int_equal(t->attempts[49].worker, 49);
        assert_int_equal(t->attempts[49].pid, 1049);
        assert_int_equal(t->attempts[49].started_wall, 491);
        assert_int_equal(t->attempts[49].ended_wall, 495);
        assert_int_equal(t->attempts[49].outcome, WIRE_TIMEOUT);
        assert_true(t->attempts[49].killed_worker && !t->attempts[48].killed_worker);
        task_free(t);
}

static struct bytes owned(const char *text)
{
        return (struct bytes){(uint8_t *)strdup(text), strlen(text)};
}

static void test_parts(void **state)
{
        struct task *t = task_new((struct uuid){{2}}, owned("payload"));
        struct task_extra *extra = task_extra(t);

        (void)state;
        assert_ptr_equal(task_extra(t), extra);
        extra->key = owned("key");
        task_outcome_reset(t)->value = owned("one");
        assert_null(task_outcome_reset(t)->value.data);
        t->outcome->logs = owned("logs");
        t->state = TASK_DEAD;
        task_drop_payload(t);
        assert_int_equal(t->payload.len, 7);
        t->state = TASK_FAILED;
        task_drop_payload(t);
        assert_int_equal(t->payload.len, 0);
        task_free(t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_edge),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_move_keeps_lists_and_times),
                cmocka_unit_test(test_ledger),
                cmocka_unit_test(test_parts),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
