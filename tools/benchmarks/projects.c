/*
 * How fast the tasks of so many projects with limits are run, or those of one without any.
 *   bench_projects SOCKET WORKERS PROJECTS COUNT
 * PROJECTS 1: no limit. All tasks are in the queue before the first of them can start, since every worker is kept busy
 * until then. The clock runs from the end of that to the last task's.
 */
#include "base/clock.h"
#include "measure.h"
#include "session.h"
#include "wire/cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BATCH = 500, POLL_US = 1000, ID_TEXT = 36, WORKERS_MAX = 64 };

struct bench {
        struct session session;
        size_t n_workers, n_projects;
        char blockers[WORKERS_MAX][ID_TEXT];
};

static void name_project(const struct bench *b, char name[32], size_t i)
{
        if (b->n_projects == 1)
                snprintf(name, 32, "unlimited");
        else
                snprintf(name, 32, "limited-%05zu", i % b->n_projects);
}

/* Reads the replies of all requests so far, of which the last was not read yet. */
static void catch_up(struct bench *b)
{
        uint64_t seq;

        session_flush(&b->session);
        do
                session_receive(&b->session, &seq);
        while (seq != b->session.seq);
}

static uint64_t total(struct bench *b, const char *name)
{
        const struct wire_stats stats = {0};
        struct bytes frame = session_ask(&b->session, WIRE_MESSAGE(stats), &stats), totals, bytes;
        struct wire_value v;
        struct cursor c;

        if (!wire_lookup(frame, "totals", &totals) || !wire_lookup(totals, name, &bytes))
                session_refused(frame);
        c = cursor_over(bytes);
        if (cursor_read(&c, &v) || v.tag != TAG_UINT)
                session_refused(frame);
        return v.uint;
}

static void limit_projects(struct bench *b)
{
        if (b->n_projects == 1)
                return;
        for (size_t i = 0; i < b->n_projects; i++) {
                struct wire_project_limit limit = {0};
                char name[32];

                name_project(b, name, i);
                WIRE_SET(&limit, project_limit, project_id, wire_str(name));
                WIRE_SET(&limit, project_limit, limit, 1);
                session_put(&b->session, WIRE_MESSAGE(project_limit), &limit);
                if (i % BATCH == BATCH - 1 || i + 1 == b->n_projects)
                        catch_up(b);
        }
}

static void block_workers(struct bench *b)
{
        struct wire_submit submit = {0};
        struct buf task;

        session_prepare_code(&submit, &task, "while (1);");
        WIRE_SET(&submit, submit, options, (struct wire_task_options){0});
        WIRE_SET(&submit.options, task_options, project_id, wire_str("blocker"));
        WIRE_SET(&submit.options, task_options, priority, 10);
        WIRE_SET(&submit.options, task_options, max_attempts, 1);
        WIRE_SET(&submit.options, task_options, timeout, 0);
        for (size_t i = 0; i < b->n_workers; i++) {
                struct bytes frame = session_ask(&b->session, WIRE_MESSAGE(submit), &submit), id;

                if (!wire_lookup_str(frame, "id", &id) || id.len != ID_TEXT)
                        session_refused(frame);
                memcpy(b->blockers[i], id.data, id.len);
        }
        while (total(b, "busy") < b->n_workers)
                usleep(POLL_US);
        buf_fini(&task);
}

static void submit_all(struct bench *b, size_t count)
{
        struct wire_submit submit = {0};
        struct buf task;

        session_prepare_code(&submit, &task, "0");
        WIRE_SET(&submit, submit, options, (struct wire_task_options){0});
        for (size_t i = 0; i < count; i++) {
                char name[32];

                name_project(b, name, i);
                WIRE_SET(&submit.options, task_options, project_id, wire_str(name));
                session_put(&b->session, WIRE_MESSAGE(submit), &submit);
                if (i % BATCH == BATCH - 1 || i + 1 == count)
                        catch_up(b);
        }
        buf_fini(&task);
}

static void release_workers(struct bench *b)
{
        for (size_t i = 0; i < b->n_workers; i++) {
                struct wire_cancel cancel = {0};

                WIRE_SET(&cancel, cancel, id, ((struct bytes){(const uint8_t *)b->blockers[i], ID_TEXT}));
                session_ask(&b->session, WIRE_MESSAGE(cancel), &cancel);
        }
}

/* Seconds for all tasks. */
static double run(struct bench *b, size_t count)
{
        uint64_t wanted = total(b, "completed") + count;
        int64_t start;

        block_workers(b);
        submit_all(b, count);
        start = clock_now();
        release_workers(b);
        while (total(b, "completed") < wanted)
                usleep(POLL_US);
        return (double)(clock_now() - start) / (double)NS_PER_S;
}

int main(int argc, char **argv)
{
        size_t count = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
        static struct bench b;

        b.n_workers = argc == 5 ? strtoul(argv[2], NULL, 10) : 0;
        b.n_projects = argc == 5 ? strtoul(argv[3], NULL, 10) : 0;
        if (!b.n_workers || b.n_workers > WORKERS_MAX || !b.n_projects || !count)
                return 64;
        session_open(&b.session, argv[1]);
        limit_projects(&b);
        printf("{\"rate\": %.1f, \"n\": %zu}\n", (double)count / run(&b, count), count);
        session_close(&b.session);
        return 0;
}
