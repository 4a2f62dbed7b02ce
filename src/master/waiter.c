/* Linking and unlinking waiters; what they are answered is the session's business. */
#include "master/waiter.h"

#include "base/error.h"
#include "master/session.h"
#include "master/task.h"

#include <errno.h>
#include <stdlib.h>

int waiter_new(struct session *session, struct task *task, const struct waiter *call)
{
        struct waiter *w = calloc(1, sizeof(*w));

        if (!w)
                return error_origin(-ENOMEM);
        *w = *call;
        w->session = session;
        w->task = task;
        list_push_back(&session->waiters, &w->by_session);
        list_push_back(&task->waiters, &w->by_task);
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
