/*
 * A session: one client's connection. It ends through session_close() alone, with a named reason; what it waited for and
 * owned ends with it.
 */
#pragma once

#include "master/peer.h"
#include "master/waiter.h"

#include <sys/socket.h>

struct supervisor;

struct session {
        struct list node; /* of supervisor->sessions */
        struct supervisor *supervisor;
        struct peer peer;
        struct ucred who;
        struct list waiters;
        uint64_t waiting_bytes; /* of the waiters, and of the tasks that came with them */
        uint64_t id;
        char client[65];
        struct grave grave;
        struct list drain_node; /* in supervisor->drain_waiters while it waits for the end of a drain */
        uint64_t drain_seq;
};

/* Takes the descriptor over. -ENOMEM. */
int session_open(struct supervisor *s, int fd, const struct ucred *who);
void session_close(struct session *s, const char *reason);
/* The same at the end of the supervisor: every call that waits is told SHUTTING_DOWN. */
void session_shut_down(struct session *s);

/* The session of a client's peer. */
static inline struct session *session_of(struct peer *p)
{
        return container_of(p, struct session, peer);
}

/* Replies; a client that reads too slowly for it loses its session. */
void session_reply(struct session *s, const struct wire_message *m, uint64_t seq, const void *body);

/* Tells everybody who follows the task what it has written. */
void session_task_output(struct task *t, const struct wire_worker_output *output);
/* The same for a refusal of an earlier call. */
void session_refuse(struct session *s, uint64_t seq, const struct wire_refusal *why);

/* Tells those who wait for it that the task is on disk, or will not be; whole: everybody who waits for anything of it. */
void session_task_kept(struct task *t);
void session_task_refused(struct task *t, bool whole, const struct wire_refusal *why);

/* Tells everybody who waits for the task that it has ended. */
void session_task_ended(struct task *t);
/* Answers one call for a task that has ended before it came: SUBMIT (of a known key), WAIT, CANCEL. */
void session_answer_now(struct session *s, struct task *t, const struct waiter *call);
