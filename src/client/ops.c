/* The named calls: each packs its fields and lets client_call() do the rest. */
#include "client/client.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "wire/pack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A message of messages.def, as a call. */
static int call_message(
        struct poppo *p, const struct wire_message *m, const void *body, struct poppo_reply **out)
{
        CLEANUP(buf_fini) struct buf args;
        int r;

        client_clear(p);
        if (out)
                *out = NULL;
        buf_init(&args, CHANNEL_FRAME_MAX);
        r = wire_encode_map(&args, m, body);
        return r < 0 ? client_fail(p, r, "%s", error_text(r))
                     : client_call(p, m->name, buf_bytes(&args), out);
}

/* ---- submitting ---- */

static int add_json(struct poppo *p, struct pack *args, const char *key, const char *text)
{
        pack_text(args, key);
        if (args->error)
                return client_fail(p, args->error, "%s", error_text(args->error));
        return client_add_json(p, args->out, key, text);
}

static int submit(struct poppo *p, const char *task, const char *options, bool wait, struct poppo_reply **out)
{
        CLEANUP(buf_fini) struct buf buf;
        struct pack args;
        int r;

        client_clear(p);
        *out = NULL;
        buf_init(&buf, CHANNEL_FRAME_MAX);
        pack_init(&args, &buf);
        pack_map(&args, options ? 3 : 2);
        pack_entry_bool(&args, "wait", wait);
        r = add_json(p, &args, "task", task);
        if (!r && options)
                r = add_json(p, &args, "options", options);
        return r ? r : client_call(p, "submit", buf_bytes(&buf), out);
}

/* A task that ended is an answer; whether it is a success, its state says. */
static int judge(struct poppo *p, int r, struct poppo_reply *reply)
{
        const char *state, *message, *code;

        if (r)
                return r;
        state = poppo_reply_string(reply, "/result/state", NULL);
        if (!state)
                return errno == ENOMEM ? client_fail(p, -ENOMEM, "%s", error_text(-ENOMEM))
                                       : client_fail(p, -EPROTO, "the supervisor's reply has no record with a state");
        if (!strcmp(state, "succeeded"))
                return 0;
        message = poppo_reply_string(reply, "/result/error/message", NULL);
        code = poppo_reply_string(reply, "/result/error/code", NULL);
        client_fail(p, POPPO_FAILED, "%s", message ? message : "the task has not succeeded");
        snprintf(p->code, sizeof(p->code), "%s", code ? code : "");
        return POPPO_FAILED;
}

/* Replies go with 0 and POPPO_FAILED only. */
static int hand_out(int r, struct poppo_reply *reply, struct poppo_reply **out)
{
        bool good = r == 0 || r == POPPO_FAILED;

        if (out)
                *out = good ? reply : NULL;
        if (!out || !good)
                poppo_reply_free(reply);
        return r;
}

int poppo_run(struct poppo *p, const char *task, const char *options, struct poppo_reply **out)
{
        struct poppo_reply *reply;
        int r = submit(p, task, options, true, &reply);

        return hand_out(judge(p, r, reply), reply, out);
}

int poppo_submit(struct poppo *p, const char *task, const char *options, char id[POPPO_ID_SIZE])
{
        struct poppo_reply *reply;
        const char *text;
        int r = submit(p, task, options, false, &reply);

        if (r)
                return r;
        text = poppo_reply_string(reply, "/id", NULL);
        if (text && strlen(text) == POPPO_ID_SIZE - 1)
                memcpy(id, text, POPPO_ID_SIZE);
        else
                r = client_fail(p, -EPROTO, "the supervisor accepted the task but gave no id");
        poppo_reply_free(reply);
        return r;
}

/* ---- tasks ---- */

int poppo_wait(struct poppo *p, const char *id, struct poppo_reply **out)
{
        struct wire_wait body = {0};
        struct poppo_reply *reply;
        int r;

        WIRE_SET(&body, wait, id, wire_str(id));
        r = call_message(p, WIRE_MESSAGE(wait), &body, &reply);
        return hand_out(judge(p, r, reply), reply, out);
}

int poppo_result(struct poppo *p, const char *id, struct poppo_reply **out)
{
        struct wire_result body = {0};

        WIRE_SET(&body, result, id, wire_str(id));
        return call_message(p, WIRE_MESSAGE(result), &body, out);
}

int poppo_cancel(struct poppo *p, const char *id, struct poppo_reply **out)
{
        struct wire_cancel body = {0};

        WIRE_SET(&body, cancel, id, wire_str(id));
        return call_message(p, WIRE_MESSAGE(cancel), &body, out);
}

int poppo_follow(struct poppo *p, const char *id, struct poppo_reply **out)
{
        struct wire_follow body = {0};

        WIRE_SET(&body, follow, id, wire_str(id));
        return call_message(p, WIRE_MESSAGE(follow), &body, out);
}

int poppo_list(struct poppo *p, const char *filter, struct poppo_reply **out)
{
        return poppo_call(p, "list", filter, out);
}

/* ---- the pool ---- */

int poppo_stats(struct poppo *p, struct poppo_reply **out)
{
        return poppo_call(p, "stats", NULL, out);
}

int poppo_status(struct poppo *p, struct poppo_reply **out)
{
        return poppo_call(p, "status", NULL, out);
}

int poppo_project_limit(struct poppo *p, const char *project, int64_t limit, struct poppo_reply **out)
{
        struct wire_project_limit body = {0};

        if (limit < 0) {
                if (out)
                        *out = NULL;
                return client_fail(p, -EINVAL, "a limit cannot be negative");
        }
        WIRE_SET(&body, project_limit, project_id, wire_str(project));
        WIRE_SET(&body, project_limit, limit, (uint64_t)limit);
        return call_message(p, WIRE_MESSAGE(project_limit), &body, out);
}

int poppo_project_usage(struct poppo *p, const char *project, struct poppo_reply **out)
{
        struct wire_project_usage body = {0};

        if (project)
                WIRE_SET(&body, project_usage, project_id, wire_str(project));
        return call_message(p, WIRE_MESSAGE(project_usage), &body, out);
}
