/* Linking and unlinking waiters; what they are answered is the session's business. */
#include "master/waiter.h"

#include "base/error.h"
#include "master/session.h"
#include "master/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int waiter_new(struct session *session, struct task *task, const struct waiter *call)
{
        return waiter_hang(session, task, &task->waiters, call);
}

int waiter_hang(struct session *session, struct task *task, struct list *list, const struct waiter *call)
{
        struct waiter *w = calloc(1, sizeof(*w));

        if (!w)
                return error_origin(-ENOMEM);
        *w = *call;
        w->session = session;
        w->task = task;
        list_push_back(&session->waiters, &w->by_session);
        list_push_back(list, &w->by_task);
        session->waiting_bytes += w->bytes + sizeof(*w);
        return 0;
}

void waiter_free(struct waiter *w)
{
        list_unlink(&w->by_session);
        list_unlink(&w->by_task);
        w->session->waiting_bytes -= w->bytes + sizeof(*w);
        free(w);
}

bool waiter_follows(const struct task *task)
{
        list_for_each(node, (struct list *)&task->waiters)
                if (list_entry(node, struct waiter, by_task)->follows)
                        return true;
        return false;
}

struct bytes waiter_unseen(struct waiter *w, unsigned int attempt, unsigned int stream, uint64_t at, struct bytes data)
{
        uint64_t *seen = &w->seen[stream];
        size_t old;

        if (w->attempt != attempt) {
                w->attempt = (uint16_t)attempt;
                memset(w->seen, 0, sizeof(w->seen));
        }
        /* A gap is no reason to hold back what comes after it. */
        old = at >= *seen ? 0 : *seen - at < data.len ? (size_t)(*seen - at) : data.len;
        if (at + data.len > *seen)
                *seen = at + data.len;
        return (struct bytes){data.data + old, data.len - old};
}
