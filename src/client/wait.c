/* Waiting: everything that blocks is an asynchronous call and steps until its reply is there. */
#include "client/client.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

static int fail_timeout(struct poppo *p)
{
        return client_fail(p, -ETIMEDOUT, "the supervisor did not answer in time");
}

int poppo_step(struct poppo *p, int timeout_ms)
{
        struct pollfd pfd = {.fd = p->ch.fd};
        int n;

        if (p->in_callback)
                return client_fail(p, -EDEADLK, "a callback must not wait for replies");
        client_clear(p);
        if (p->ch.fd < 0)
                return client_fail(p, -ENOTCONN, "not connected to a supervisor");
        channel_flush(&p->ch);
        pfd.events = poppo_events(p);
        n = poll(&pfd, 1, timeout_ms);
        if (n < 0)
                return client_fail(p, -errno, "interrupted: %s", error_text(-errno));
        if (!n)
                return fail_timeout(p);
        return poppo_process(p);
}

static void on_awaited(void *data, struct poppo_reply *reply)
{
        struct poppo_reply **slot = data;

        *slot = poppo_reply_keep(reply);
}

static int time_left_ms(int64_t deadline)
{
        int64_t left = deadline - clock_now();

        if (deadline == INT64_MAX)
                return -1;
        if (left <= 0)
                return 0;
        left = (left + NS_PER_MS - 1) / NS_PER_MS;
        return left > INT_MAX ? INT_MAX : (int)left;
}

/* After a loss the reply is there too, and says so. What ends the wait without one: a timeout, a signal, a bad peer. */
static int await(struct poppo *p, uint64_t seq, struct poppo_reply **reply)
{
        int64_t deadline = p->timeout_ms ? clock_now() + p->timeout_ms * NS_PER_MS : INT64_MAX;
        int r = 0, left = 1;

        /* A peer that always has something else to say must not keep us past the deadline. */
        while (!*reply && r >= 0 && left) {
                left = time_left_ms(deadline);
                r = poppo_step(p, left);
        }
        if (!*reply && r >= 0)
                r = fail_timeout(p);
        if (r < 0)
                client_forget(p, seq);
        return r < 0 ? r : 0;
}

int client_call(struct poppo *p, const char *op, struct bytes args, struct poppo_reply **out)
{
        struct poppo_reply *reply = NULL;
        int r;

        if (out)
                *out = NULL;
        if (p->in_callback)
                return client_fail(p, -EDEADLK, "a callback must not wait for replies");
        r = client_send(p, op, args, on_awaited, &reply);
        if (!r)
                r = await(p, p->last_seq, &reply);
        if (!r)
                r = poppo_reply_status(reply);
        if (!r && out)
                *out = TAKE_PTR(reply);
        else if (r > 0)
                client_adopt(p, reply);
        poppo_reply_free(reply);
        return r;
}

int poppo_call_msgpack(
        struct poppo *p, const char *op, const void *args, size_t len, struct poppo_reply **out)
{
        client_clear(p);
        return client_call(p, op, (struct bytes){args, len}, out);
}

int poppo_call(struct poppo *p, const char *op, const char *args, struct poppo_reply **out)
{
        CLEANUP(buf_fini) struct buf packed;
        int r;

        if (out)
                *out = NULL;
        client_clear(p);
        r = client_encode_args(p, args, &packed);
        return r < 0 ? r : client_call(p, op, buf_bytes(&packed), out);
}
