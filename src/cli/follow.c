/* From pushed events to the terminal. Every piece is flushed, since somebody waits for it. */
#include "cli/follow.h"

#include "base/cleanup.h"
#include "cli/output.h"

#include <errno.h>
#include <string.h>

static const char *const stream_names[FOLLOW_STREAMS] = {"stdout", "stderr", "console"};

void follow_init(struct follow *f, struct cli *cli, FILE *console)
{
        *f = (struct follow){.cli = cli, .to = {stdout, stderr, console}};
}

/* ---- events ---- */

static int find_stream(struct poppo_reply *event)
{
        const char *name = poppo_reply_string(event, "/stream", NULL);

        for (int i = 0; name && i < FOLLOW_STREAMS; i++)
                if (!strcmp(stream_names[i], name))
                        return i;
        return -1;
}

static void begin_attempt(struct follow *f, struct poppo_reply *event)
{
        int64_t attempt = f->attempt;

        poppo_reply_int(event, "/attempt", &attempt);
        if (attempt == f->attempt)
                return;
        f->attempt = attempt;
        memset(f->seen, 0, sizeof(f->seen));
}

static void write_piece(struct follow *f, int stream, const void *data, size_t len)
{
        output_bytes(f->to[stream], data, len, &f->last[stream]);
        fflush(f->to[stream]);
}

static void on_event(void *data, struct poppo_reply *event)
{
        struct follow *f = data;
        const void *bytes;
        size_t len;
        int stream = find_stream(event);

        if (stream < 0 || poppo_reply_bytes(event, "/data", &bytes, &len) < 0)
                return;
        begin_attempt(f, event);
        f->seen[stream] = true;
        if (f->cli->opt.json)
                output_json(event, "");
        else
                write_piece(f, stream, bytes, len);
        fflush(stdout);
}

/* ---- the call ---- */

static void on_reply(void *data, struct poppo_reply *reply)
{
        *(struct poppo_reply **)data = poppo_reply_keep(reply);
}

/* Nobody reads any more: to go on would be for nothing. */
static bool is_broken(void)
{
        return ferror(stdout) || ferror(stderr);
}

/* The task is cancelled with the connection. The call that waits is answered by that, while its slot is still there. */
static int give_up(struct follow *f, struct poppo_reply **reply, int r)
{
        int status = is_broken() ? EXIT_OUTPUT : cli_fail(f->cli, r);

        poppo_close(f->cli->poppo);
        poppo_reply_free(*reply);
        *reply = NULL;
        return status;
}

int follow_call(struct follow *f, const char *op, const void *args, size_t len, struct poppo_reply **reply)
{
        struct poppo *p = f->cli->poppo;
        int r, status;

        *reply = NULL;
        poppo_on_event(p, on_event, f);
        r = poppo_send_msgpack(p, op, args, len, on_reply, reply);
        while ((!r || r == -EINTR) && !*reply && !is_broken())
                r = poppo_step(p, -1);
        poppo_on_event(p, NULL, NULL);
        if (!*reply)
                return give_up(f, reply, r);
        if (!poppo_reply_status(*reply))
                return 0;
        status = cli_fail_reply(f->cli, *reply, NULL);
        poppo_reply_free(*reply);
        *reply = NULL;
        return status;
}

/* ---- the record ---- */

const char *follow_outcome(struct poppo_reply *record)
{
        const char *state = poppo_reply_string(record, "/result/state", NULL);

        return state && !strcmp(state, "succeeded") ? "/result/value" : "/result/error/data";
}

static void write_kept(struct follow *f, struct poppo_reply *record, int stream)
{
        char pointer[64];
        const void *data;
        size_t len;

        snprintf(pointer, sizeof(pointer), "%s/%s", follow_outcome(record), stream_names[stream]);
        if (!f->seen[stream] && !poppo_reply_bytes(record, pointer, &data, &len))
                write_piece(f, stream, data, len);
}

static void write_console(struct follow *f, struct poppo_reply *record)
{
        char pointer[64];
        const char *text;
        size_t len;

        for (int i = 0;; i++) {
                snprintf(pointer, sizeof(pointer), "/result/logs/%d/text", i);
                text = poppo_reply_string(record, pointer, &len);
                if (!text)
                        return;
                write_piece(f, FOLLOW_CONSOLE, text, len);
                fputc('\n', f->to[FOLLOW_CONSOLE]);
        }
}

void follow_rest(struct follow *f, struct poppo_reply *record)
{
        const char *type = poppo_reply_string(record, "/result/type", NULL);

        /* What another type returns may have members of these names by chance. */
        if (type && !strcmp(type, "shell-command")) {
                write_kept(f, record, FOLLOW_STDOUT);
                write_kept(f, record, FOLLOW_STDERR);
        }
        if (!f->seen[FOLLOW_CONSOLE])
                write_console(f, record);
}
