/*
 * How long a pool is short of a worker that was killed in the middle of a task.
 *   bench_replace SOCKET WORKERS COUNT
 * A sample runs from the SIGKILL to the first answer that shows all workers ready, none of them the dead one.
 */
#include "base/clock.h"
#include "measure.h"
#include "session.h"
#include "wire/cursor.h"

#include <signal.h>
#include <stdlib.h>

struct census {
        size_t ready;   /* idle or busy */
        pid_t busy_pid; /* of one that is busy; 0 = none is */
};

static pid_t pid_of(struct bytes worker)
{
        struct wire_value v;
        struct cursor c;
        struct bytes b;

        if (!wire_lookup(worker, "pid", &b))
                return 0;
        c = cursor_over(b);
        return !cursor_read(&c, &v) && v.tag == TAG_UINT ? (pid_t)v.uint : 0;
}

static void count_worker(struct census *now, struct bytes worker, pid_t but)
{
        struct bytes state = {0};
        pid_t pid = pid_of(worker);
        bool is_busy;

        if (!pid || pid == but || !wire_lookup_str(worker, "state", &state))
                return;
        is_busy = wire_str_is(state, "busy");
        if (is_busy)
                now->busy_pid = pid;
        now->ready += is_busy || wire_str_is(state, "idle");
}

static struct census take_census(struct session *s, pid_t but)
{
        const struct wire_stats stats = {0};
        struct bytes frame = session_ask(s, WIRE_MESSAGE(stats), &stats), workers, skipped, worker;
        struct census now = {0};
        struct wire_value head;
        struct cursor c;

        if (!wire_lookup(frame, "workers", &workers))
                session_refused(frame);
        c = cursor_over(workers);
        if (cursor_read(&c, &head) || head.tag != TAG_MAP)
                session_refused(frame);
        while (head.count-- && !cursor_skip(&c, &skipped) && !cursor_skip(&c, &worker))
                count_worker(&now, worker, but);
        return now;
}

/* The last victim may be listed as busy still. */
static pid_t await_busy(struct session *s, pid_t but)
{
        struct census now;

        do
                now = take_census(s, but);
        while (!now.busy_pid);
        return now.busy_pid;
}

static void await_whole(struct session *s, size_t workers, pid_t but)
{
        while (take_census(s, but).ready < workers)
                ;
}

/* Waited for, so that no task outlives this program. */
static void prepare_endless(struct wire_submit *submit, struct buf *task)
{
        session_prepare_code(submit, task, "while (1);");
        WIRE_SET(submit, submit, wait, true);
        WIRE_SET(submit, submit, options, (struct wire_task_options){0});
        WIRE_SET(&submit->options, task_options, max_attempts, 1);
        WIRE_SET(&submit->options, task_options, timeout, 0);
}

int main(int argc, char **argv)
{
        size_t workers = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
        size_t count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
        struct wire_submit submit = {0};
        struct session s;
        struct measure m;
        struct buf task;
        pid_t victim = 0;

        if (!workers || !count)
                return 64;
        session_open(&s, argv[1]);
        prepare_endless(&submit, &task);
        await_whole(&s, workers, 0);
        measure_start(&m, count);
        for (size_t i = 0; i < count; i++) {
                int64_t start;

                session_send(&s, WIRE_MESSAGE(submit), &submit);
                victim = await_busy(&s, victim);
                start = clock_now();
                if (kill(victim, SIGKILL) < 0)
                        measure_die("kill");
                await_whole(&s, workers, victim);
                measure_add(&m, clock_now() - start);
        }
        measure_report(&m);
        session_close(&s);
        buf_fini(&task);
        return 0;
}
