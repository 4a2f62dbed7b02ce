/*
 * The whole heart under a random life: arrivals, ends, crashes, cancels, delays, deadlines, limits that change, pauses,
 * workers that start, die and are scaled, some of which run many tasks at once, and classes that may have few of them or
 * none for now. After every step everything that it promises is asserted against what the world has seen by itself, in the
 * sim_*.c files. A world lives for 5,000 steps, every eighth one for 40,000; POPPO_SIM_STEPS says how many are made in all
 * worlds together. The seed is named before each world: POPPO_SIM_SEED runs that one alone.
 */
#include "sim.h"

#include "master/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { STEPS = 200000, WORLD_STEPS = 5000, LONG_STEPS = 40000, LONG_EVERY = 8, VISIT_STEPS = 400 };

static uint64_t draw(struct world *w)
{
        w->random ^= w->random << 13;
        w->random ^= w->random >> 7;
        w->random ^= w->random << 17;
        return w->random;
}

static int below(struct world *w, int n)
{
        return (int)(draw(w) % (uint64_t)n);
}

static bool chance(struct world *w, int percent)
{
        return below(w, 100) < percent;
}

/* The most that a task may take; what hungry projects want costs unequally much. */
static int64_t longest_of(struct world *w, const struct own_project *o)
{
        if (o->hungry)
                return (1 + (o - w->projects)) * NS_PER_MS;
        return chance(w, 5) ? NS_PER_S : 20 * NS_PER_MS;
}

static void on_run(struct stage *st, struct task *t, struct seat *seat)
{
        struct world *w = st->arg;
        struct own_project *o = own(w, t->project);

        state_check_start(w, t, seat);
        order_check(w, t, seat);
        shares_note_start(w, t, seat);
        o->running++;
        stage_of(seat)->run_due[stage_free_run(seat) - stage_of(seat)->runs] =
                st->now + 1 + (int64_t)(draw(w) % (uint64_t)longest_of(w, o));
}

/* ---- what happens in the world ---- */

static void sweep_ended(struct world *w)
{
        struct task *t;

        for (int i = 0; i < w->n_live;)
                if (task_ended(w->live[i].t))
                        w->live[i] = w->live[--w->n_live];
                else
                        i++;
        while ((t = list_first_entry(&w->st.s.ended, struct task, node))) {
                w->ended++;
                scheduler_release(&w->st.s, t);
                task_free(t);
        }
}

static void offer(struct world *w, struct task *t)
{
        t->payload = (struct bytes){calloc(1, 1), 1};
        t->max_attempts = (uint16_t)(1 + below(w, 6));
        t->retry_delay = chance(w, 50) ? 0 : below(w, 50) * NS_PER_MS;
        if (stage_offer(&w->st, t) != WIRE_OK) {
                task_free(t);
                return;
        }
        w->accepted++;
        w->live[w->n_live++] = (struct own_task){.t = t, .sequence = UINT64_MAX};
}

static void arrive(struct world *w)
{
        static const uint8_t classes[] = {CLASS_JS, CLASS_JS, CLASS_JS, CLASS_JS, CLASS_HTTP, CLASS_HTTP, CLASS_SHELL,
                CLASS_HANDLERS};
        struct own_project *o = &w->projects[below(w, chance(w, 50) ? 2 : PROJECTS)];
        struct task *t;

        if (w->n_live >= CROWD_MAX || o->hungry)
                return;
        t = stage_task(o->p, chance(w, 50) ? 0 : below(w, TASK_PRIORITIES));
        t->class = classes[below(w, sizeof(classes))];
        t->isolation = (uint8_t)(chance(w, 80) ? ISOLATION_HEAP : below(w, 3));
        if (t->class != CLASS_JS)
                t->isolation = (uint8_t)isolation_max((enum isolation)t->isolation, ISOLATION_PROJECT);
        t->not_before = chance(w, 10) ? w->st.now + below(w, 100) * NS_PER_MS : 0;
        t->start_deadline = chance(w, 10) ? w->st.now + 1 + below(w, 200) * NS_PER_MS : 0;
        offer(w, t);
}

/* Whoever is hungry has more waiting than can be started at once, unless the queue is full. */
static void feed(struct world *w)
{
        bool visiting = w->steps / VISIT_STEPS % 2;

        for (int i = 0; i < PROJECTS; i++) {
                const struct own_project *o = &w->projects[i];
                uint64_t has = o->p->queued + (o->sips ? o->p->running + o->p->delayed : 0);

                if (!o->hungry || (o->visits && !visiting))
                        continue;
                for (; has < (o->sips ? 1 : w->max_seats + 1) && w->n_live < LIVE_MAX; has++)
                        offer(w, stage_task(o->p, w->hunger));
        }
}

/* Somebody wants a dead task back: then it is as new, or stays as it was. */
static void maybe_revive(struct world *w, struct task *t)
{
        struct wire_refusal why;
        int64_t retry_after;

        if (t->state != TASK_DEAD || chance(w, 50))
                return;
        if (scheduler_revive(&w->st.s, t, w->st.now, &why, &retry_after))
                assert_int_equal(t->state, TASK_DEAD);
        else
                assert_true(t->state == TASK_QUEUED && !t->n_attempts && !t->kills && !t->quarantined);
}

static void end_attempt(struct world *w, struct run *run, bool crashed, bool innocent)
{
        static const struct retry_policy policy = {.backoff = 2, .delay_max = NS_PER_S, .jitter = 0.2};
        struct task *t = run->task;
        struct attempt_use use = {.run_ns = w->st.now - t->since, .seat_spent = crashed};
        struct retry_verdict v = {.state = TASK_SUCCEEDED};
        enum wire_code code = crashed ? WIRE_WORKER_CRASHED : WIRE_OK;

        if (!crashed && chance(w, 25))
                code = chance(w, 80) ? WIRE_TASK_ERROR : WIRE_SYNTAX_ERROR;
        /* Some compute on several processors. */
        use.cpu_ns = (int64_t)(draw(w) % (uint64_t)(use.run_ns * (chance(w, 5) ? 3 : 1) + 1));
        shares_note_use(w, t, (double)(use.cpu_ns > use.run_ns ? use.cpu_ns : use.run_ns));
        own(w, t->project)->running--;
        task_attempt_end(t, code, crashed && !innocent, 1);
        scheduler_ended(&w->st.s, run, &use, w->st.now);
        if (code)
                v = retry_decide(t, code, w->st.now, &policy, draw(w));
        t->quarantined = v.quarantine;
        if (v.again)
                scheduler_retry(&w->st.s, t, v.at, w->st.now);
        else
                scheduler_finish(&w->st.s, t, v.state, w->st.now);
        maybe_revive(w, t);
}

/* One that crashes takes the others along. */
static void end_run(struct world *w, struct stage_seat *x, struct run *run)
{
        bool crashed = chance(w, own(w, run->task->project)->hungry ? 1 : 5);

        end_attempt(w, run, crashed, false);
        while (crashed && x->seat.n_runs)
                end_attempt(w, list_first_entry(&x->seat.runs, struct run, node), true, chance(w, 50));
        if (x->seat.retiring && !x->seat.n_runs) {
                scheduler_seat_gone(&w->st.s, &x->seat, w->st.now);
                x->live = false;
        }
}

static int64_t next_due(const struct stage_seat *x)
{
        int64_t due = x->due;

        for (int k = 0; k < STAGE_RUNS; k++)
                if (x->runs[k].task && x->run_due[k] < due)
                        due = x->run_due[k];
        return due;
}

static void pass_seat(struct world *w, struct stage_seat *x)
{
        if (x->due <= w->st.now) {
                x->due = INT64_MAX;
                scheduler_seat_ready(&w->st.s, &x->seat, w->st.now);
        }
        for (int k = 0; k < STAGE_RUNS; k++)
                if (x->live && x->runs[k].task && x->run_due[k] <= w->st.now)
                        end_run(w, x, &x->runs[k]);
}

/* Time goes on, to the next thing that is due or a little. */
static void pass(struct world *w)
{
        int64_t little = below(w, chance(w, 50) ? 10 : 1000) * NS_PER_MS, next = w->st.now + little;
        int64_t wake = scheduler_next_wake(&w->st.s);

        if (wake < next)
                next = wake;
        for (int i = 0; i < STAGE_SEATS; i++)
                if (w->st.seats[i].live && next_due(&w->st.seats[i]) < next)
                        next = next_due(&w->st.seats[i]);
        if (next > w->st.now) {
                order_pass(w, next - w->st.now);
                w->st.now = next;
        }
        for (int i = 0; i < STAGE_SEATS; i++)
                if (w->st.seats[i].live)
                        pass_seat(w, &w->st.seats[i]);
}

static void cancel_one(struct world *w)
{
        if (w->n_live)
                scheduler_cancel(&w->st.s, w->live[below(w, w->n_live)].t, w->st.now);
}

/* A worker that is starting or idle dies. */
static void lose_seat(struct world *w)
{
        struct stage_seat *x = &w->st.seats[below(w, STAGE_SEATS)];

        if (!x->live || x->seat.n_runs)
                return;
        scheduler_seat_gone(&w->st.s, &x->seat, w->st.now);
        x->live = false;
}

static void change_limits(struct world *w)
{
        struct own_project *o = &w->projects[below(w, PROJECTS)];
        struct project_settings settings = stage_settings();

        if (o->hungry)
                return;
        settings.limit = chance(w, 50) ? 0 : 1 + (uint32_t)below(w, 4);
        settings.weight = 1 + (uint32_t)below(w, 8);
        settings.paused = chance(w, 10);
        settings.max_queued = chance(w, 80) ? 0 : (uint32_t)below(w, 20);
        settings.rate = chance(w, 70) ? 0 : 1 + below(w, 500);
        settings.isolation = (uint8_t)(chance(w, 80) ? ISOLATION_HEAP : below(w, 3));
        scheduler_project_set(&w->st.s, o->p, chance(w, 20) ? NULL : &settings, w->st.now);
        o->rate = o->p->settings.rate;
        o->tokens = 1e9;
        o->tokens_read = w->st.now;
        shares_break(w, o);
}

/* How much a seat takes, and how many there may be, changes live. */
static void change_class(struct world *w)
{
        bool http = chance(w, 50);

        scheduler_set_class(&w->st.s, http ? CLASS_HTTP : CLASS_HANDLERS, http ? 1 + (uint32_t)below(w, STAGE_RUNS) : 1,
                (uint32_t)below(w, 3), w->st.now);
}

/* No worker of a class can be started for a while. */
static void hold_class(struct world *w)
{
        scheduler_hold_class(&w->st.s, chance(w, 50) ? CLASS_HTTP : CLASS_HANDLERS, chance(w, 50));
}

/* Nobody serves a class any more, or somebody does again. */
static void withdraw_class(struct world *w)
{
        scheduler_withdraw_class(&w->st.s, CLASS_HANDLERS, chance(w, 50), w->st.now);
}

static const struct {
        int percent;
        void (*happen)(struct world *w);
} incidents[] = {{3, cancel_one}, {2, lose_seat}, {2, change_limits}, {1, change_class}, {1, hold_class},
        {1, withdraw_class}};

static void settle(struct world *w)
{
        stage_settle(&w->st);
        sweep_ended(w);
        order_note(w);
        shares_check(w);
        state_check(w);
}

static void step(struct world *w)
{
        w->steps++;
        for (size_t i = 0; i < sizeof(incidents) / sizeof(incidents[0]); i++)
                if (chance(w, incidents[i].percent))
                        incidents[i].happen(w);
        if (chance(w, w->crowd))
                arrive(w);
        else
                pass(w);
        feed(w);
        settle(w);
}

/* In those that live long, time is shared for long: they are less crowded. */
static void world_init(struct world *w, uint64_t seed, bool is_long)
{
        struct scheduler_config config = stage_config();
        struct autoscaler_config scale = {.enabled = true,
                .up_threshold = 0.8,
                .down_threshold = 0.2,
                .check_interval = NS_PER_S,
                .down_cooldown = 100 * NS_PER_MS,
                .idle_timeout = 200 * NS_PER_MS};

        *w = (struct world){.random = seed * 0x9e3779b97f4a7c15 + 1};
        for (int i = 0; i < 8; i++)
                draw(w);
        w->crowd = is_long ? 10 : 10 + below(w, 50);
        w->hunger = below(w, TASK_PRIORITIES);
        w->max_seats = 1 + (uint32_t)below(w, 10);
        config.max_seats = scale.max = w->max_seats;
        config.max_length = is_long || chance(w, 50) ? 0 : 1 + (uint64_t)below(w, LIVE_MAX);
        config.reject_on_limit = chance(w, 20);
        config.aging_interval = chance(w, 50) ? 0 : (1 + below(w, 100) * NS_PER_MS) * (is_long ? 20 : 1);
        config.isolation = (enum isolation)below(w, 3);
        stage_init(&w->st, &config);
        scale.min = (uint32_t)below(w, (int)w->max_seats + 1);
        scale.enabled = chance(w, 80);
        autoscaler_init(&w->st.scaler, &scale, w->st.now);
        w->st.scaling = true;
        w->st.start_time = below(w, 5) * NS_PER_MS;
        w->st.on_run = on_run;
        w->st.arg = w;
        scheduler_set_class(&w->st.s, CLASS_HTTP, STAGE_RUNS, 0, w->st.now);
}

static void world_people(struct world *w, bool hungry)
{
        struct project_settings settings = stage_settings();

        for (int i = 0; i < PROJECTS; i++) {
                struct own_project *o = &w->projects[i];
                char name[16];

                snprintf(name, sizeof(name), "project-%d", i);
                o->p = stage_project(&w->st, name);
                for (int c = 0; c < SIM_CLASSES; c++)
                        o->lanes[c].rank = -1;
                o->visits = i == 5;
                o->sips = i == 9;
                o->hungry = hungry && (i % 4 == 3 || o->visits || o->sips);
                if (!o->hungry)
                        continue;
                settings.weight = 1 + (uint32_t)below(w, 4);
                scheduler_project_set(&w->st.s, o->p, &settings, w->st.now);
        }
}

/* Nothing new comes and nothing is held back: everything must come to its end. */
static void run_dry(struct world *w)
{
        struct project_settings settings = stage_settings();

        for (int c = 0; c < CLASSES; c++)
                scheduler_hold_class(&w->st.s, (enum task_class)c, false);
        scheduler_withdraw_class(&w->st.s, CLASS_HANDLERS, false, w->st.now);
        for (int i = 0; i < PROJECTS; i++) {
                scheduler_project_set(&w->st.s, w->projects[i].p, &settings, w->st.now);
                w->projects[i].rate = 0;
                shares_break(w, &w->projects[i]);
        }
        for (int i = 0; w->n_live; i++) {
                assert_true(i < 100000);
                pass(w);
                settle(w);
        }
        assert_int_equal(w->accepted, w->ended);
}

static long live(uint64_t seed, struct seen *seen)
{
        bool is_long = seed % LONG_EVERY == 0;
        long steps = is_long ? LONG_STEPS : WORLD_STEPS;
        struct world w;

        world_init(&w, seed, is_long);
        w.seen = *seen;
        world_people(&w, is_long || chance(&w, 60));
        print_message("# seed %llu: %u seats, isolation %d, aging %lld ms\n", (unsigned long long)seed,
                w.max_seats, (int)w.st.s.config.isolation,
                (long long)(w.st.s.config.aging_interval / NS_PER_MS));
        for (long i = 0; i < steps; i++)
                step(&w);
        run_dry(&w);
        print_message("# %u started, %u seats replaced, %u grown, %u retired, %llu expired, %llu refused\n",
                w.st.n_started, w.st.n_replaced, w.st.n_grown, w.st.n_retired,
                (unsigned long long)w.st.n_expired, (unsigned long long)w.st.s.counts.refused);
        assert_true(w.st.n_started > 0);
        stage_fini(&w.st);
        *seen = w.seen;
        return steps;
}

static long from_env(const char *name, long otherwise)
{
        const char *text = getenv(name);

        return text ? atol(text) : otherwise;
}

static void test_simulation(void **state)
{
        long steps = from_env("POPPO_SIM_STEPS", STEPS), seed = from_env("POPPO_SIM_SEED", 0);
        struct seen seen = {0};

        (void)state;
        if (seed) {
                live((uint64_t)seed, &seen);
                return;
        }
        for (uint64_t i = 1; steps > 0; i++)
                steps -= live(i, &seen);
        print_message("# %llu starts by age; %llu long windows, shares within %.1f %%; at most %.2f of the drift allowed\n",
                (unsigned long long)seen.risen, (unsigned long long)seen.long_windows, seen.share * 100, seen.drift);
        /* What never was the case was not tested. */
        assert_true(seen.risen > 0 && seen.long_windows > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_simulation)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
