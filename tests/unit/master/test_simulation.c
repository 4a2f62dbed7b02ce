/*
 * The whole heart under a random life: arrivals, ends, crashes, cancels, delays, deadlines, limits that change, pauses,
 * workers that start, die and are scaled, some of which run many tasks at once, and classes that may have few of them or
 * none for now. After every step everything that it promises is asserted against what this file works out by itself. A
 * world lives for 5,000 steps; POPPO_SIM_STEPS says how many are made in all worlds together. The seed is named before
 * each world: POPPO_SIM_SEED runs that one alone.
 */
#include "stage.h"

#include "master/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PROJECTS = 12, LIVE_MAX = 120, STEPS = 200000, WORLD_STEPS = 5000 };

/* What the world knows of a project by itself. */
struct own_project {
        struct project *p;
        int running;
        double tokens, rate;
        int64_t tokens_read;
};

struct world {
        struct stage st;
        uint64_t random;
        int crowd; /* percent of the steps that bring a task */
        uint32_t max_seats;
        struct own_project projects[PROJECTS];
        struct task *live[LIVE_MAX];
        int n_live;
        uint64_t accepted, ended;
};

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

static struct own_project *own(struct world *w, const struct project *p)
{
        for (int i = 0; i < PROJECTS; i++)
                if (w->projects[i].p == p)
                        return &w->projects[i];
        fail();
        return NULL;
}

/* ---- promises at the moment of a start ---- */

static bool may_start(struct world *w, const struct project *p)
{
        const struct own_project *o = own(w, p);

        if (p->settings.paused || (p->settings.limit && o->running >= (int)p->settings.limit))
                return false;
        return project_tokens(p, w->st.now) > 0;
}

static bool suits(const struct world *w, const struct seat *seat, const struct task *t)
{
        enum isolation isolation = scheduler_isolation(&w->st.s, t);

        if (seat->class != t->class)
                return false;
        if (seat->use == SEAT_FRESH)
                return true;
        if (seat->use == SEAT_BOUND)
                return isolation != ISOLATION_PROCESS && seat->project == t->project;
        return seat->use == SEAT_SHARED && isolation == ISOLATION_HEAP;
}

static void check_limits(struct world *w, const struct task *t)
{
        struct own_project *o = own(w, t->project);
        double size = o->rate * 0.1 < 1 ? 1 : o->rate * 0.1;

        assert_false(t->project->settings.paused);
        if (t->project->settings.limit)
                assert_true(o->running < (int)t->project->settings.limit);
        if (!o->rate)
                return;
        o->tokens += (double)(w->st.now - o->tokens_read) / 1e9 * o->rate;
        o->tokens = o->tokens > size ? size : o->tokens;
        o->tokens_read = w->st.now;
        assert_true(o->tokens > 1 - 1e-3);
        o->tokens -= 1;
}

static void check_order(struct world *w, const struct task *t, const struct seat *seat)
{
        for (int i = 0; i < w->n_live; i++) {
                const struct task *u = w->live[i];

                if (u == t || u->state != TASK_QUEUED || u->class != t->class)
                        continue;
                if (u->project == t->project && u->priority == t->priority)
                        assert_true(u->sequence > t->sequence);
                /* Nothing of higher priority that this seat would do for, unless what goes before it in its own lane
                 * needs another seat. */
                if (!w->st.s.config.aging_interval && u->priority > t->priority && may_start(w, u->project) &&
                        suits(w, seat, u))
                        assert_false(suits(w, seat, u->project->lanes[u->class]->head));
        }
}

static void on_run(struct stage *st, struct task *t, struct seat *seat)
{
        struct world *w = st->arg;

        assert_int_equal(t->state, TASK_QUEUED);
        assert_true(suits(w, seat, t));
        assert_true(seat->n_runs < seat->capacity);
        assert_false(t->start_deadline && !t->n_attempts && t->start_deadline <= st->now);
        assert_true(t->not_before <= st->now);
        assert_null(stage_seat_of(st, t));
        check_limits(w, t);
        check_order(w, t, seat);
        own(w, t->project)->running++;
        stage_of(seat)->run_due[stage_free_run(seat) - stage_of(seat)->runs] =
                st->now + 1 + (int64_t)(draw(w) % (uint64_t)(chance(w, 5) ? NS_PER_S : 20 * NS_PER_MS));
}

/* ---- promises after every step ---- */

static void check_tasks(struct world *w)
{
        uint64_t n[TASK_STATE_COUNT] = {0};
        uint64_t busy = 0;

        for (int i = 0; i < w->n_live; i++) {
                struct task *t = w->live[i];

                n[t->state]++;
                assert_false(task_ended(t));
                assert_int_equal(stage_seat_of(&w->st, t) != NULL, t->state == TASK_RUNNING);
                assert_true(t->n_attempts <= t->max_attempts + t->quarantined);
        }
        for (int i = 0; i < STAGE_SEATS; i++)
                busy += w->st.seats[i].live ? w->st.seats[i].seat.n_runs : 0;
        assert_int_equal(busy, n[TASK_RUNNING]);
        assert_int_equal(n[TASK_QUEUED], w->st.s.counts.queued);
        assert_int_equal(n[TASK_DELAYED], w->st.s.counts.delayed);
        assert_int_equal(n[TASK_RUNNING], w->st.s.counts.running);
        assert_int_equal(w->accepted, w->ended + (uint64_t)w->n_live);
        assert_int_equal(w->st.s.counts.bytes, w->n_live);
}

static void check_projects(struct world *w)
{
        for (int i = 0; i < PROJECTS; i++) {
                struct own_project *o = &w->projects[i];

                assert_int_equal(o->p->running, o->running);
                for (int c = 0; c < CLASSES; c++) {
                        struct lane *l = o->p->lanes[c];

                        if (l)
                                assert_int_equal(l->runnable > 0,
                                        l->queued && may_start(w, o->p) && !w->st.s.pools[c].withdrawn);
                }
        }
}

/* What the scheduler says of seats, counted anew. */
static void check_counts(struct world *w)
{
        uint32_t busy = 0, open = 0, starting = 0, draining = 0, of_class[CLASSES] = {0};

        for (int i = 0; i < STAGE_SEATS; i++) {
                const struct seat *seat = &w->st.seats[i].seat;

                if (!w->st.seats[i].live)
                        continue;
                draining += seat->retiring && seat->capacity > 1 && seat->n_runs;
                assert_int_equal(list_empty(&seat->held), seat->retiring || seat->capacity == 1 || !seat->n_runs);
                if (seat->retiring)
                        continue;
                of_class[seat->class]++;
                busy += seat->state == SEAT_BUSY;
                open += seat->state == SEAT_OPEN;
                starting += seat->state == SEAT_STARTING;
        }
        assert_int_equal(busy, w->st.s.busy);
        assert_int_equal(open, w->st.s.n_open);
        assert_int_equal(starting, w->st.s.starting);
        assert_int_equal(draining, w->st.s.n_draining);
        for (int c = 0; c < CLASSES; c++)
                assert_int_equal(of_class[c], w->st.s.pools[c].seats);
}

static void check_seats(struct world *w)
{
        uint32_t alive = 0, idle = 0, all = 0;

        check_counts(w);
        for (int i = 0; i < STAGE_SEATS; i++) {
                struct seat *seat = &w->st.seats[i].seat;

                all += w->st.seats[i].live;
                if (!w->st.seats[i].live || seat->retiring)
                        continue;
                alive++;
                idle += seat->state == SEAT_IDLE;
                if (seat->state != SEAT_IDLE)
                        continue;
                for (int k = 0; k < PROJECTS; k++) {
                        struct lane *l = w->projects[k].p->lanes[seat->class];

                        if (l && l->runnable)
                                assert_false(suits(w, seat, l->head));
                }
        }
        assert_true(alive <= w->max_seats);
        assert_true(all <= w->max_seats + 1); /* one that was closed may finish what it runs */
        assert_int_equal(alive, w->st.s.seats);
        assert_int_equal(idle, w->st.s.n_idle);
}

/* Whoever waits for a seat has one to hope for: one that runs something, a starting one, or room that the autoscaler fills. */
static void check_hope(struct world *w)
{
        struct scheduler_load load = scheduler_load(&w->st.s);

        if (load.runnable > load.held)
                assert_true(load.busy + load.open + load.starting > 0);
}

/* Whatever time alone will change is announced in time. */
static void check_wake(struct world *w)
{
        int64_t wake = scheduler_next_wake(&w->st.s);

        for (int i = 0; i < PROJECTS; i++) {
                const struct project *p = w->projects[i].p;

                if (p->queued && project_room(p) && !project_tokens(p, w->st.now))
                        assert_true(wake <= project_next_token(p, w->st.now));
        }
        for (int i = 0; i < w->n_live; i++) {
                const struct task *t = w->live[i];

                if (t->state == TASK_DELAYED)
                        assert_true(wake <= t->not_before);
                if (t->state != TASK_RUNNING && t->start_deadline && !t->n_attempts)
                        assert_true(wake <= t->start_deadline);
        }
        assert_true(wake > w->st.now);
}

/* ---- what happens in the world ---- */

static void sweep_ended(struct world *w)
{
        struct task *t;

        for (int i = 0; i < w->n_live;)
                if (task_ended(w->live[i]))
                        w->live[i] = w->live[--w->n_live];
                else
                        i++;
        while ((t = list_first_entry(&w->st.s.ended, struct task, node))) {
                w->ended++;
                scheduler_release(&w->st.s, t);
                task_free(t);
        }
}

static void arrive(struct world *w)
{
        static const uint8_t classes[] = {CLASS_JS, CLASS_JS, CLASS_JS, CLASS_JS, CLASS_HTTP, CLASS_HTTP, CLASS_SHELL,
                CLASS_HANDLERS};
        struct project *p = w->projects[below(w, chance(w, 50) ? 2 : PROJECTS)].p;
        struct task *t;

        if (w->n_live == LIVE_MAX)
                return;
        t = stage_task(p, chance(w, 50) ? 0 : below(w, TASK_PRIORITIES));
        t->payload = (struct bytes){calloc(1, 1), 1};
        t->max_attempts = (uint16_t)(1 + below(w, 6));
        t->retry_delay = chance(w, 50) ? 0 : below(w, 50) * NS_PER_MS;
        t->class = classes[below(w, sizeof(classes))];
        t->isolation = (uint8_t)(chance(w, 80) ? ISOLATION_HEAP : below(w, 3));
        if (t->class != CLASS_JS)
                t->isolation = (uint8_t)isolation_max((enum isolation)t->isolation, ISOLATION_PROJECT);
        t->not_before = chance(w, 10) ? w->st.now + below(w, 100) * NS_PER_MS : 0;
        t->start_deadline = chance(w, 10) ? w->st.now + 1 + below(w, 200) * NS_PER_MS : 0;
        if (stage_offer(&w->st, t) != WIRE_OK) {
                task_free(t);
                return;
        }
        w->accepted++;
        w->live[w->n_live++] = t;
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
        int64_t ran = 1 + (int64_t)(draw(w) % (uint64_t)(20 * NS_PER_MS));
        struct attempt_use use = {.run_ns = ran, .seat_spent = crashed};
        struct retry_verdict v = {.state = TASK_SUCCEEDED};
        enum wire_code code = crashed ? WIRE_WORKER_CRASHED : WIRE_OK;

        if (!crashed && chance(w, 25))
                code = chance(w, 80) ? WIRE_TASK_ERROR : WIRE_SYNTAX_ERROR;
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
        bool crashed = chance(w, 5);

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
        int64_t next = w->st.now + below(w, 10) * NS_PER_MS, wake = scheduler_next_wake(&w->st.s);

        if (wake < next)
                next = wake;
        for (int i = 0; i < STAGE_SEATS; i++)
                if (w->st.seats[i].live && next_due(&w->st.seats[i]) < next)
                        next = next_due(&w->st.seats[i]);
        if (next > w->st.now)
                w->st.now = next;
        for (int i = 0; i < STAGE_SEATS; i++)
                if (w->st.seats[i].live)
                        pass_seat(w, &w->st.seats[i]);
}

static void cancel_one(struct world *w)
{
        if (w->n_live)
                scheduler_cancel(&w->st.s, w->live[below(w, w->n_live)], w->st.now);
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

static void step(struct world *w)
{
        for (size_t i = 0; i < sizeof(incidents) / sizeof(incidents[0]); i++)
                if (chance(w, incidents[i].percent))
                        incidents[i].happen(w);
        if (chance(w, w->crowd))
                arrive(w);
        else
                pass(w);
        stage_settle(&w->st);
        sweep_ended(w);
        check_tasks(w);
        check_projects(w);
        check_seats(w);
        check_hope(w);
        check_wake(w);
}

static void world_init(struct world *w, uint64_t seed)
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
        w->crowd = 10 + below(w, 50);
        w->max_seats = 1 + (uint32_t)below(w, 10);
        config.max_seats = scale.max = w->max_seats;
        config.max_length = chance(w, 50) ? 0 : 1 + (uint64_t)below(w, LIVE_MAX);
        config.reject_on_limit = chance(w, 20);
        config.aging_interval = chance(w, 50) ? 0 : 1 + below(w, 100) * NS_PER_MS;
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

static void world_people(struct world *w)
{
        for (int i = 0; i < PROJECTS; i++) {
                char name[16];

                snprintf(name, sizeof(name), "project-%d", i);
                w->projects[i].p = stage_project(&w->st, name);
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
        }
        for (int i = 0; w->n_live; i++) {
                assert_true(i < 100000);
                pass(w);
                stage_settle(&w->st);
                sweep_ended(w);
                check_tasks(w);
                check_seats(w);
                check_hope(w);
        }
        assert_int_equal(w->accepted, w->ended);
}

static void live(uint64_t seed, long steps)
{
        struct world w;

        world_init(&w, seed);
        world_people(&w);
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
}

static long from_env(const char *name, long otherwise)
{
        const char *text = getenv(name);

        return text ? atol(text) : otherwise;
}

static void test_simulation(void **state)
{
        long worlds = from_env("POPPO_SIM_STEPS", STEPS) / WORLD_STEPS, seed = from_env("POPPO_SIM_SEED", 0);

        (void)state;
        if (seed) {
                live((uint64_t)seed, WORLD_STEPS);
                return;
        }
        for (long i = 1; i <= worlds; i++)
                live((uint64_t)i, WORLD_STEPS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_simulation)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
