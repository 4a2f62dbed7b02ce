/* What clients may ask for: the handlers of the ops, by message. Each file of requests_*.c holds one group of them. */
#pragma once

#include "master/peer.h"
#include "master/project.h"
#include "master/waiter.h"
#include "wire/pack.h"

struct supervisor;

/* One row an op. */
#define REQUESTS(X)                                                                                          \
        X(hello)                                                                                             \
        X(ping)                                                                                              \
        X(submit)                                                                                            \
        X(wait)                                                                                              \
        X(result)                                                                                            \
        X(cancel)                                                                                            \
        X(follow)                                                                                            \
        X(retry)                                                                                             \
        X(why)                                                                                               \
        X(list)                                                                                              \
        X(stats)                                                                                             \
        X(status)                                                                                            \
        X(project_limit)                                                                                     \
        X(project_set)                                                                                       \
        X(project_usage)                                                                                     \
        X(reload)                                                                                            \
        X(drain)                                                                                             \
        X(store_stats)                                                                                       \
        X(store_compact)                                                                                     \
        X(stop)

#define X(op) int request_##op(struct peer *, uint64_t seq, const union wire_body *, struct wire_refusal *why);
REQUESTS(X)
#undef X

extern const struct peer_handler request_handlers[WIRE_IDS];

/* The task with this id. Positive: refused, with NOT_FOUND saying what can be said of an id that is not known. */
int request_find_task(struct session *session, struct bytes text, struct task **out, struct wire_refusal *why);

/* Whether the session may wait for one more task, whose bytes are its own: what one client has under way is bounded by
 * queue.maxClientBytes. Positive: refused. A cancel has a reserve, so that a client at its bound can give something up. */
int request_room_to_wait(struct session *session, size_t bytes, bool is_cancel, struct wire_refusal *why);

/* A call that is answered when the task has ended, which may be now. -ENOMEM. */
int request_answer_at_end(struct session *session, struct task *t, const struct waiter *call);

/* A project's new settings hold: answers project-limit or project-set. */
void request_setting_done(struct session *session, const struct project *p, const struct waiter *call);

/* The store's part of status, one map; and the answer to those who asked for its figures, NULL: there are none. */
void request_write_store(struct pack *p, const struct supervisor *s);
void request_store_measured(struct supervisor *s, const struct wire_store_measure_reply *figures);

/* Makes a refusal of a negative r; passes others on. */
int request_no_memory(int r, struct wire_refusal *why);
