/* The stage: see stage.h. */
#include "stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct project_settings stage_settings(void)
{
        return (struct project_settings){.weight = 1, .max_priority = TASK_PRIORITY_MAX};
}

struct scheduler_config stage_config(void)
{
        return (struct scheduler_config){.max_seats = STAGE_SEATS, .defaults = stage_settings()};
}

void stage_init(struct stage *st, const struct scheduler_config *config)
{
        *st = (struct stage){.now = NS_PER_S};
        scheduler_init(&st->s, config);
}

struct project *stage_project(struct stage *st, const char *name)
{
        struct wire_refusal why;
        struct project *p = NULL;

        assert_int_equal(scheduler_project(&st->s, wire_str(name), &p, &why), 0);
        return p;
}

struct task *stage_task(struct project *p, int priority)
{
        static uint64_t serial;
        struct uuid id = {0};
        struct task *t;

        serial++;
        memcpy(id.bytes, &serial, sizeof(serial));
        t = task_new(id, (struct bytes){0});
        assert_non_null(t);
        t->project = p;
        t->priority = (uint8_t)priority;
        return t;
}

enum wire_code stage_offer(struct stage *st, struct task *t)
{
        struct wire_refusal why = {0};
        int64_t retry_after;
        int r = scheduler_accept(&st->s, t, st->now, &why, &retry_after);

        assert_true(r >= 0);
        return r ? why.code : WIRE_OK;
}

struct task *stage_submit(struct stage *st, struct project *p, int priority)
{
        struct task *t = stage_task(p, priority);

        assert_int_equal(stage_offer(st, t), WIRE_OK);
        return t;
}

struct stage_seat *stage_of(struct seat *seat)
{
        return container_of(seat, struct stage_seat, seat);
}

struct stage_seat *stage_seat_start(struct stage *st, enum task_class class)
{
        for (int i = 0; i < STAGE_SEATS; i++)
                if (!st->seats[i].live) {
                        struct stage_seat *x = &st->seats[i];

                        x->live = true;
                        x->due = INT64_MAX;
                        scheduler_seat_added(&st->s, &x->seat, class, scheduler_capacity(&st->s, class));
                        return x;
                }
        fail_msg("more than %d seats", STAGE_SEATS);
        return NULL;
}

struct run *stage_free_run(struct seat *seat)
{
        struct stage_seat *x = stage_of(seat);

        for (int i = 0; i < STAGE_RUNS; i++)
                if (!x->runs[i].task)
                        return &x->runs[i];
        fail_msg("more than %d runs on a seat", STAGE_RUNS);
        return NULL;
}

struct seat *stage_seat(struct stage *st)
{
        struct stage_seat *x = stage_seat_start(st, CLASS_JS);

        scheduler_seat_ready(&st->s, &x->seat, st->now);
        return &x->seat;
}

static void leave(struct stage *st, struct seat *seat)
{
        scheduler_seat_gone(&st->s, seat, st->now);
        stage_of(seat)->live = false;
}

static void start(struct stage *st, struct task *t, struct seat *seat)
{
        if (st->on_run)
                st->on_run(st, t, seat);
        assert_int_equal(task_attempt_begin(t, 1, 1, 0), 0);
        scheduler_started(&st->s, t, seat, stage_free_run(seat), st->now);
        st->n_started++;
        st->last_started = t;
        st->last_seat = seat;
}

static void carry_out(struct stage *st, const struct decision *d)
{
        switch (d->kind) {
        case DECIDE_RUN:
                start(st, d->task, d->seat);
                break;
        case DECIDE_REPLACE:
                scheduler_seat_retire(&st->s, d->seat, st->now);
                if (!d->seat->n_runs)
                        leave(st, d->seat);
                st->n_replaced++;
                break;
        case DECIDE_EXPIRE:
                scheduler_finish(&st->s, d->task, TASK_FAILED, st->now);
                st->n_expired++;
                break;
        }
}

static struct autoscaler_input scaler_input(struct stage *st)
{
        struct scheduler_load load = scheduler_load(&st->s);
        struct seat *oldest = scheduler_oldest_idle(&st->s);

        return (struct autoscaler_input){
                .now = st->now,
                .alive = load.seats,
                .starting = load.coming,
                .busy = load.busy,
                .idle = load.idle,
                .runnable = load.runnable - load.held,
                .oldest_idle_since = oldest ? oldest->idle_since : 0,
        };
}

static void add_seats(struct stage *st, uint32_t n)
{
        enum task_class class = CLASS_JS;

        for (; n; n--) {
                scheduler_wanted_class(&st->s, &class);
                stage_seat_start(st, class)->due = st->now + st->start_time;
                st->n_grown++;
        }
}

static bool take_step(struct stage *st, const struct autoscaler_step *step)
{
        struct seat *seat = scheduler_oldest_idle(&st->s);

        if (step->verb == AUTOSCALE_GROW)
                add_seats(st, step->count);
        if (step->verb != AUTOSCALE_RETIRE)
                return step->verb == AUTOSCALE_GROW;
        for (int i = 0; i < STAGE_SEATS && !seat && step->busy_too; i++)
                if (st->seats[i].live && !st->seats[i].seat.retiring)
                        seat = &st->seats[i].seat;
        scheduler_seat_retire(&st->s, seat, st->now);
        st->n_retired++;
        if (!seat->n_runs)
                leave(st, seat);
        return true;
}

static void decide_all(struct stage *st)
{
        struct decision d;

        for (int i = 0; scheduler_decide(&st->s, st->now, &d); i++) {
                assert_true(i < 100000); /* decisions must come to an end */
                carry_out(st, &d);
        }
}

void stage_settle(struct stage *st)
{
        bool again = true;

        for (int i = 0; again; i++) {
                struct autoscaler_input in;
                struct autoscaler_step step;

                assert_true(i < 1000);
                decide_all(st);
                if (!st->scaling)
                        return;
                in = scaler_input(st);
                step = autoscaler_decide(&st->scaler, &in);
                again = take_step(st, &step);
        }
}

static void end_attempt(struct stage *st, struct seat *seat, int64_t run_ns, bool crashed)
{
        struct attempt_use use = {.run_ns = run_ns, .seat_spent = crashed};

        task_attempt_end(seat_task(seat), WIRE_OK, crashed, 1);
        scheduler_ended(&st->s, list_first_entry(&seat->runs, struct run, node), &use, st->now);
        if (seat->retiring && !seat->n_runs)
                leave(st, seat);
}

void stage_end(struct stage *st, struct seat *seat, enum task_state state, int64_t run_ns)
{
        struct task *t = seat_task(seat);

        end_attempt(st, seat, run_ns, false);
        scheduler_finish(&st->s, t, state, st->now);
}

void stage_end_retry(struct stage *st, struct seat *seat, int64_t at, int64_t run_ns, bool crashed)
{
        struct task *t = seat_task(seat);

        end_attempt(st, seat, run_ns, crashed);
        scheduler_retry(&st->s, t, at, st->now);
}

struct seat *stage_seat_of(struct stage *st, const struct task *t)
{
        for (int i = 0; i < STAGE_SEATS; i++)
                for (int k = 0; k < STAGE_RUNS && st->seats[i].live; k++)
                        if (st->seats[i].runs[k].task == t)
                                return &st->seats[i].seat;
        return NULL;
}

struct task *stage_next(struct stage *st, int64_t run_ns)
{
        struct task *running = st->last_started;

        st->last_started = NULL;
        st->now += run_ns;
        stage_end(st, stage_seat_of(st, running), TASK_SUCCEEDED, run_ns);
        stage_settle(st);
        return st->last_started;
}

static void cancel_waiting(struct stage *st)
{
        struct task *t;

        while ((t = list_first_entry(&st->s.delayed, struct task, node)))
                scheduler_cancel(&st->s, t, st->now);
        for (struct project *p = scheduler_project_next(&st->s, NULL); p;
                p = scheduler_project_next(&st->s, p))
                for (int c = 0; c < CLASSES; c++)
                        for (int i = 0; p->lanes[c] && i < TASK_PRIORITIES; i++)
                                while ((t = list_first_entry(
                                                &p->lanes[c]->levels[i].tasks, struct task, node)))
                                        scheduler_cancel(&st->s, t, st->now);
}

void stage_fini(struct stage *st)
{
        struct task *t;

        cancel_waiting(st);
        for (int i = 0; i < STAGE_SEATS; i++) {
                while (st->seats[i].live && st->seats[i].seat.n_runs)
                        stage_end(st, &st->seats[i].seat, TASK_CANCELLED, 1);
                if (st->seats[i].live)
                        leave(st, &st->seats[i].seat);
        }
        while ((t = list_first_entry(&st->s.ended, struct task, node))) {
                scheduler_release(&st->s, t);
                task_free(t);
        }
        scheduler_fini(&st->s);
}
