/* Projects and their lanes: names, room, tokens, and which task of a lane comes next. */
#include "master/project.h"

#include "base/clock.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a lane's first task is charged in advance, before any was measured. */
static const double FIRST_ESTIMATE = 1e6;
/* A bucket holds this part of a second's tokens: whoever counts starts by the second finds the limit kept within 10 %. */
static const double BUCKET_SECONDS = 0.1;
static const double LONGEST_INTERVAL = 1e18; /* ns */
enum { CACHE_LINE = 64 };

bool project_settings_equal(const struct project_settings *a, const struct project_settings *b)
{
        return a->limit == b->limit && a->max_queued == b->max_queued && a->weight == b->weight &&
                a->max_priority == b->max_priority && a->isolation == b->isolation && a->paused == b->paused &&
                a->rate <= b->rate && a->rate >= b->rate;
}

struct project *project_new(struct bytes name, const struct project_settings *settings)
{
        struct project *p = calloc(1, sizeof(*p) + name.len + 1);

        if (!p)
                return NULL;
        p->settings = *settings;
        p->name_len = name.len;
        memcpy(p->name, name.data, name.len);
        list_init(&p->node);
        return p;
}

void project_free(struct project *p)
{
        for (int c = 0; c < CLASSES; c++)
                free(p->lanes[c]);
        free(p);
}

static bool name_char(uint8_t c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                (c && strchr("._-:/", c));
}

bool project_name_valid(struct bytes name)
{
        if (name.len < 1 || name.len > PROJECT_NAME_MAX)
                return false;
        for (size_t i = 0; i < name.len; i++)
                if (!name_char(name.data[i]))
                        return false;
        return true;
}

uint64_t project_room(const struct project *p)
{
        uint64_t limit = p->settings.limit;

        if (p->settings.paused)
                return 0;
        if (!limit)
                return UINT64_MAX;
        return limit > p->running ? limit - p->running : 0;
}

/* ---- the token bucket: tokens_at is when it would be full again if nothing more were taken ---- */

/* A rate may be so low that its interval is no number of nanoseconds: then the next start is decades away. */
static int64_t token_interval(const struct project *p)
{
        double ns = (double)NS_PER_S / p->settings.rate;

        return (int64_t)fmax(1, fmin(ns, LONGEST_INTERVAL));
}

static double bucket_size(const struct project *p)
{
        return fmax(1, floor(p->settings.rate * BUCKET_SECONDS));
}

void project_apply(struct project *p, const struct project_settings *settings, int64_t now)
{
        p->settings = *settings;
        if (settings->rate > 0) {
                int64_t latest = now + (int64_t)(bucket_size(p) * (double)token_interval(p));

                p->tokens_at = p->tokens_at < latest ? p->tokens_at : latest;
        }
}

int64_t project_next_token(const struct project *p, int64_t now)
{
        double ahead = (bucket_size(p) - 1) * (double)token_interval(p);
        int64_t at = p->tokens_at - (int64_t)ahead;

        return at > now ? at : now;
}

uint64_t project_tokens(const struct project *p, int64_t now)
{
        double size, missing;

        if (p->settings.rate <= 0)
                return UINT64_MAX;
        if (project_next_token(p, now) > now)
                return 0;
        size = bucket_size(p);
        missing = fmax(0, ceil((double)(p->tokens_at - now) / (double)token_interval(p)));
        return (uint64_t)fmax(1, size - missing);
}

void project_take_token(struct project *p, int64_t now)
{
        if (p->settings.rate <= 0)
                return;
        assert(project_tokens(p, now) > 0);
        p->tokens_at = (p->tokens_at > now ? p->tokens_at : now) + token_interval(p);
}

/* ---- lanes ---- */

static void level_init(struct level *v)
{
        list_init(&v->tasks);
        v->restored = &v->tasks;
}

struct lane *project_lane(struct project *p, enum task_class class)
{
        struct lane *l = p->lanes[class];

        if (l)
                return l;
        l = calloc(1, sizeof(*l));
        if (!l)
                return NULL;
        l->project = p;
        l->class = (uint8_t)class;
        l->next_rise = INT64_MAX;
        l->estimate = FIRST_ESTIMATE;
        list_init(&l->open);
        for (int i = 0; i < TASK_PRIORITIES; i++)
                level_init(&l->levels[i]);
        p->lanes[class] = l;
        return l;
}

static struct task *level_first(struct level *v)
{
        return list_first_entry(&v->tasks, struct task, node);
}

void lane_entered(struct lane *l, struct task *t)
{
        struct level *v = &l->levels[t->priority];

        l->queued++;
        l->occupied |= 1u << t->priority;
        if (level_first(v) == t)
                v->risen = t->since;
}

/* The first task is about to be run, and then the second is first. In a long queue neither is in the processor's caches:
 * what is asked for now is there when its turn comes. */
static void fetch_ahead(const struct level *v, const struct task *first)
{
        const struct list *second = first->node.next;

        __builtin_prefetch(first->payload.data);
        if (second == &v->tasks)
                return;
        for (size_t at = 0; at < sizeof(*first); at += CACHE_LINE)
                __builtin_prefetch((const char *)list_entry(second, const struct task, node) + at);
}

void lane_left(struct lane *l, const struct task *t, bool served, int64_t now, int64_t aging)
{
        struct level *v = &l->levels[t->priority];
        struct task *first = level_first(v);

        l->queued--;
        if (!first) {
                l->occupied &= ~(1u << t->priority);
                return;
        }
        fetch_ahead(v, first);
        if (served)
                v->risen = v->risen + aging < now ? v->risen + aging : now;
        if (v->risen < first->since)
                v->risen = first->since;
}

void lane_unblocked(struct lane *l, int64_t now)
{
        int64_t lost = now - l->blocked;

        for (uint32_t left = l->occupied; left; left &= left - 1) {
                struct level *v = &l->levels[__builtin_ctz(left)];

                v->risen = v->risen + lost < now ? v->risen + lost : now;
        }
        l->blocked = 0;
}

/* Steps that a level has risen by, not above the top. */
static int64_t level_steps(const struct level *v, int priority, int64_t now, int64_t aging)
{
        int64_t most = TASK_PRIORITY_MAX - priority, steps;

        if (!aging || now <= v->risen)
                return 0;
        steps = (now - v->risen) / aging;
        return steps < most ? steps : most;
}

void lane_refresh(struct lane *l, int64_t now, int64_t aging)
{
        l->head = NULL;
        l->rank = 0;
        l->next_rise = INT64_MAX;
        for (uint32_t left = l->occupied; left; left &= left - 1) {
                int priority = __builtin_ctz(left);
                struct level *v = &l->levels[priority];
                int64_t steps = level_steps(v, priority, now, aging), rank = priority + steps, rise;
                struct task *first = level_first(v);

                if (!l->head || rank > l->rank || (rank == l->rank && first->sequence < l->head->sequence)) {
                        l->head = first;
                        l->rank = (uint8_t)rank;
                }
                rise = v->risen + (steps + 1) * aging;
                if (aging && rank < TASK_PRIORITY_MAX && rise < l->next_rise)
                        l->next_rise = rise;
        }
}
