/* The table of ops, and what several of them share. */
#include "master/requests.h"

#include "base/clock.h"
#include "master/session.h"
#include "master/supervisor.h"

const struct peer_handler request_handlers[WIRE_IDS] = {
#define X(op) [WIRE_ID_##op] = {request_##op},
        REQUESTS(X)
#undef X
};

enum { CANCEL_RESERVE = 256 * 1024, RETRY_PART = 16 };

int request_room_to_wait(struct session *session, size_t bytes, bool is_cancel, struct wire_refusal *why)
{
        struct supervisor *sv = session->supervisor;
        uint64_t most = (uint64_t)sv->config.queue.max_client_bytes + (is_cancel ? CANCEL_RESERVE : 0);

        if (!session->waiting_bytes || session->waiting_bytes + bytes + sizeof(struct waiter) <= most)
                return 0;
        sv->retry_after_ms = scheduler_service_ms(&sv->scheduler, (double)sv->scheduler.counts.queued / RETRY_PART, clock_now());
        return wire_refuse(why, WIRE_QUEUE_FULL, "this connection waits for tasks of %llu bytes; the most is %llu",
                (unsigned long long)session->waiting_bytes, (unsigned long long)most);
}

int request_answer_at_end(struct session *session, struct task *t, const struct waiter *call)
{
        if (task_ended(t)) {
                session_answer_now(session, t, call);
                return 0;
        }
        return waiter_new(session, t, call);
}

int request_no_memory(int r, struct wire_refusal *why)
{
        return r < 0 ? wire_refuse(why, WIRE_QUEUE_FULL, "the supervisor has no memory for this") : r;
}
