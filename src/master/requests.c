/* The table of ops, and what several of them share. */
#include "master/requests.h"

#include "master/session.h"
#include "master/supervisor.h"

const struct peer_handler request_handlers[WIRE_IDS] = {
#define X(op) [WIRE_ID_##op] = {request_##op},
        REQUESTS(X)
#undef X
};

int request_answer_at_end(struct session *session, struct task *t, const struct waiter *call)
{
        struct waiter *w;
        int r;

        if (task_ended(t)) {
                session_answer_now(session, t, call);
                return 0;
        }
        r = waiter_new(session, t, call->seq, call->kind, &w);
        if (r < 0)
                return r;
        w->duplicate = call->duplicate;
        w->owns = call->owns;
        return 0;
}

int request_no_memory(int r, struct wire_refusal *why)
{
        return r < 0 ? wire_refuse(why, WIRE_QUEUE_FULL, "the supervisor has no memory for this") : r;
}
