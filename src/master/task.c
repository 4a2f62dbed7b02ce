/* Tasks: making and freeing them, their ledger of attempts, and the table of legal state changes. */
#include "master/task.h"

#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* A queued task costs its payload and at most 300 bytes, the allocator's and the tables' share included. */
_Static_assert(sizeof(struct task) <= 240, "a million tasks wait at once");

#define TO(state) (1u << TASK_##state)

/* Each state's successors. A running task is cancelled only once its attempt is over; only a dead one comes back. A new one
 * has an end already when it comes from the store; a queued one is delayed when it is held. */
static const uint16_t edges[TASK_STATE_COUNT] = {
        [TASK_NEW] = TO(QUEUED) | TO(DELAYED) | TO(SUCCEEDED) | TO(FAILED) | TO(CANCELLED) | TO(DEAD),
        [TASK_QUEUED] = TO(RUNNING) | TO(CANCELLED) | TO(FAILED) | TO(DELAYED),
        [TASK_DELAYED] = TO(QUEUED) | TO(CANCELLED) | TO(FAILED) | TO(DEAD),
        [TASK_RUNNING] = TO(QUEUED) | TO(DELAYED) | TO(SUCCEEDED) | TO(FAILED) | TO(CANCELLED) | TO(DEAD),
        [TASK_DEAD] = TO(QUEUED),
};

static const char *const state_names[TASK_STATE_COUNT] = {
#define X(id, word) [TASK_##id] = word,
        TASK_STATES(X)
#undef X
};

static void free_bytes(struct bytes *b)
{
        free((void *)b->data);
        *b = (struct bytes){0};
}

struct task *task_new(struct uuid id, struct bytes payload)
{
        struct task *t = calloc(1, sizeof(*t));

        if (!t) {
                free_bytes(&payload);
                return NULL;
        }
        t->id = id;
        t->payload = payload;
        t->max_attempts = 1;
        list_init(&t->by_age);
        list_init(&t->waiters);
        list_init(&t->node);
        return t;
}

static void free_outcome(struct task_outcome *o)
{
        if (!o)
                return;
        free_bytes(&o->value);
        free_bytes(&o->error);
        free_bytes(&o->logs);
        free_bytes(&o->timings);
        free(o);
}

static void free_extra(struct task_extra *e)
{
        if (!e)
                return;
        free_bytes(&e->key);
        free_bytes(&e->meta);
        free_bytes(&e->traceparent);
        free(e);
}

void task_free(struct task *t)
{
        if (!t)
                return;
        assert(list_empty(&t->node) && list_empty(&t->waiters) && !heap_has(&t->timer));
        free_bytes(&t->payload);
        free(t->attempts);
        free_outcome(t->outcome);
        free_extra(t->extra);
        free(t);
}

struct task_extra *task_extra(struct task *t)
{
        if (!t->extra) {
                t->extra = calloc(1, sizeof(*t->extra));
                if (t->extra)
                        t->extra->task = t;
        }
        return t->extra;
}

struct task_outcome *task_outcome_reset(struct task *t)
{
        struct task_outcome *fresh = calloc(1, sizeof(*fresh));

        if (!fresh)
                return NULL;
        free_outcome(t->outcome);
        t->outcome = fresh;
        return fresh;
}

void task_drop_payload(struct task *t)
{
        if (task_ended(t) && t->state != TASK_DEAD)
                free_bytes(&t->payload);
}

void task_forget_attempts(struct task *t)
{
        free(t->attempts);
        t->attempts = NULL;
        free_outcome(t->outcome);
        t->outcome = NULL;
        t->n_attempts = 0;
        t->kills = 0;
        t->quarantined = t->cancel_asked = false;
}

int task_attempt_begin(struct task *t, uint32_t worker, int32_t pid, int64_t wall)
{
        struct task_attempt *grown = realloc(t->attempts, (t->n_attempts + 1u) * sizeof(*grown));

        if (!grown)
                return error_origin(-ENOMEM);
        t->attempts = grown;
        t->attempts[t->n_attempts++] =
                (struct task_attempt){.worker = worker, .pid = pid, .started_wall = wall};
        t->generation += t->claim != CLAIM_ASKED && t->claim != CLAIM_KEPT;
        return 0;
}

void task_attempt_end(struct task *t, enum wire_code outcome, bool killed_worker, int64_t wall)
{
        struct task_attempt *a = &t->attempts[t->n_attempts - 1];

        assert(t->n_attempts && !a->ended_wall);
        a->outcome = (uint8_t)outcome;
        a->killed_worker = killed_worker;
        a->ended_wall = wall;
        if (killed_worker && t->kills < UINT8_MAX)
                t->kills++;
}

bool task_edge_allowed(enum task_state from, enum task_state to)
{
        return edges[from] & (1u << to);
}

void task_move(struct task *t, enum task_state to, struct list *list, int64_t now)
{
        assert(task_edge_allowed(t->state, to));
        if (t->state == TASK_QUEUED)
                t->waited += now - t->since;
        list_unlink(&t->node);
        if (list)
                list_push_back(list, &t->node);
        t->state = (uint8_t)to;
        t->since = now;
}

bool task_ended(const struct task *t)
{
        return t->state >= TASK_SUCCEEDED;
}

const char *task_state_name(enum task_state state)
{
        return state_names[state];
}
