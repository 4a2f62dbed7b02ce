/*
 * How fast tasks of one project are dispatched while so many of them wait, and what a waiting one costs in memory.
 *   bench_queue SOCKET BACKLOG BURSTS
 * The queue is filled while its project is paused. Then, burst by burst, it is let go and filled up again. The clock runs
 * between two tasks of each burst that are waited for, so that neither the start nor the end of a burst is measured.
 */
#include "base/clock.h"
#include "base/list.h"
#include "measure.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BURST = 1000, FIRST_MARK = 400, LAST_MARK = BURST - 1, BATCH = 500, WARM_BURSTS = 2 };

/* A task that is waited for: its request, and when its reply came. */
struct mark {
        uint64_t seq;
        int64_t at;
};

struct queue {
        struct session session;
        struct wire_submit submit;
        struct buf task;
        uint64_t placed;        /* tasks that were submitted */
        struct mark *marks;     /* two a burst */
        size_t n_marks, passed; /* those before `passed` have been replied to, in their order */
};

static bool is_mark(uint64_t place)
{
        return place % BURST == FIRST_MARK || place % BURST == LAST_MARK;
}

/* The next reply's seq. Marks are noticed whenever they come: a burst may run on while it is being stopped. */
static uint64_t receive(struct queue *q)
{
        uint64_t seq;

        session_receive(&q->session, &seq);
        if (q->passed < q->n_marks && seq == q->marks[q->passed].seq)
                q->marks[q->passed++].at = clock_now();
        return seq;
}

static void submit_next(struct queue *q)
{
        uint64_t place = q->placed++;
        size_t mark = place / BURST * 2 + (place % BURST == LAST_MARK);

        WIRE_SET(&q->submit, submit, wait, is_mark(place));
        session_put(&q->session, WIRE_MESSAGE(submit), &q->submit);
        if (is_mark(place) && mark < q->n_marks)
                q->marks[mark].seq = q->session.seq;
}

/* A mark's reply comes when it has run; the others' at once. */
static void fill(struct queue *q, uint64_t count)
{
        while (count) {
                uint64_t batch = count < BATCH ? count : BATCH, last = 0;

                count -= batch;
                for (; batch; batch--) {
                        submit_next(q);
                        if (!is_mark(q->placed - 1))
                                last = q->session.seq;
                }
                session_flush(&q->session);
                while (receive(q) != last)
                        ;
        }
}

static void pause_project(struct queue *q, bool paused)
{
        struct wire_project_set set = {0};

        WIRE_SET(&set, project_set, project_id, wire_str("queue"));
        WIRE_SET(&set, project_set, paused, paused);
        session_send(&q->session, WIRE_MESSAGE(project_set), &set);
        while (receive(q) != q->session.seq)
                ;
}

/* How long the tasks between the marks took; 0: the one before ran on past the first mark. */
static int64_t serve(struct queue *q, size_t burst)
{
        const struct mark *marks = &q->marks[burst * 2];
        bool late = marks[0].at;

        pause_project(q, false);
        while (q->passed <= burst * 2 + 1)
                receive(q);
        pause_project(q, true);
        return late ? 0 : marks[1].at - marks[0].at;
}

/* Memory of a process, in bytes. */
static double resident(pid_t pid)
{
        unsigned long total, pages;
        char path[64];
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
        file = fopen(path, "re");
        if (!file || fscanf(file, "%lu %lu", &total, &pages) != 2)
                measure_die(path);
        fclose(file);
        return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static pid_t supervisor_of(const struct session *s)
{
        struct ucred who;
        socklen_t size = sizeof(who);

        if (getsockopt(s->channel.fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
                measure_die("SO_PEERCRED");
        return who.pid;
}

struct bare {
        struct list node;
        struct bytes payload;
};

/* Baseline: what the same payloads take in a list, each and beyond their own bytes. */
static double measure_bare(struct bytes payload, uint64_t count)
{
        double before = resident(getpid()), after;
        struct list all = LIST_INIT(all);

        for (uint64_t i = 0; i < count; i++) {
                struct bare *b = malloc(sizeof(*b));

                if (!b)
                        measure_die("malloc");
                b->payload = bytes_dup(payload);
                list_push_back(&all, &b->node);
        }
        after = resident(getpid());
        list_for_each_safe(node, &all) {
                struct bare *b = list_entry(node, struct bare, node);

                free((void *)b->payload.data);
                free(b);
        }
        return (after - before) / (double)count - (double)payload.len;
}

static void prepare(struct queue *q, const char *path, size_t bursts)
{
        q->n_marks = bursts * 2;
        q->marks = calloc(q->n_marks, sizeof(*q->marks));
        if (!q->marks)
                measure_die("calloc");
        session_prepare_code(&q->submit, &q->task, "0");
        WIRE_SET(&q->submit, submit, options, (struct wire_task_options){0});
        WIRE_SET(&q->submit.options, task_options, project_id, wire_str("queue"));
        session_open(&q->session, path);
        pause_project(q, true);
}

/* Tasks per second in all bursts but the first few. */
static double rate_of(struct queue *q, size_t bursts)
{
        int64_t used = 0;
        size_t n = 0;

        for (size_t i = 0; i < bursts; i++) {
                int64_t ns = serve(q, i);

                fill(q, BURST);
                if (i < WARM_BURSTS || !ns)
                        continue;
                used += ns;
                n += LAST_MARK - FIRST_MARK;
        }
        if (!used)
                measure_die("no burst could be measured");
        return (double)n * (double)NS_PER_S / (double)used;
}

int main(int argc, char **argv)
{
        uint64_t backlog = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;
        size_t bursts = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
        static struct queue q;
        double bare, before, each;

        if (!backlog || !bursts)
                return 64;
        if (backlog < BURST)
                backlog = BURST;
        prepare(&q, argv[1], bursts + WARM_BURSTS);
        bare = measure_bare(buf_bytes(&q.task), backlog);
        before = resident(supervisor_of(&q.session));
        fill(&q, backlog);
        each = (resident(supervisor_of(&q.session)) - before) / (double)backlog - (double)buf_size(&q.task);
        printf("{\"rate\": %.1f, \"bytes\": %.1f, \"bare\": %.1f, \"n\": %zu}\n", rate_of(&q, bursts + WARM_BURSTS), each,
                bare, bursts);
        session_close(&q.session);
        free(q.marks);
        buf_fini(&q.task);
        return 0;
}
