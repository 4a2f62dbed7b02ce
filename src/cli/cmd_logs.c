/* poppo logs: what a task wrote, or writes. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/document.h"
#include "cli/follow.h"
#include "cli/output.h"

#include <stdlib.h>
#include <string.h>

/* Answered at the task's end, at once when that is over. */
static int follow_task(struct follow *f)
{
        CLEANUP(cleanup_json) json_t *args = json_pack("{s:s}", "id", f->cli->operands[0]);
        CLEANUP(cleanup_free) char *text = args ? json_dumps(args, JSON_COMPACT) : NULL;
        CLEANUP(cleanup_free) void *packed = NULL;
        struct poppo_reply *reply;
        size_t len;
        int status;

        if (!text || poppo_pack(f->cli->poppo, text, NULL, 0, &packed, &len) < 0)
                return cli_complain(f->cli, EXIT_DATA, NULL, "an id is not UTF-8");
        status = follow_call(f, "follow", packed, len, &reply);
        if (!status)
                poppo_reply_free(reply);
        return status;
}

static void set_part(json_t *logs, struct poppo_reply *record, const char *key, const char *pointer)
{
        const char *text = poppo_reply_json(record, pointer);
        json_t *value = text ? json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL) : NULL;

        if (value)
                json_object_set_new(logs, key, value);
}

/* {console: [{level, text, at}], stdout?, stderr?} */
static void print_json(struct poppo_reply *record)
{
        CLEANUP(cleanup_json) json_t *logs = json_object();
        CLEANUP(cleanup_free) char *text = NULL;
        char pointer[64];

        set_part(logs, record, "console", "/result/logs");
        for (int i = FOLLOW_STDOUT; i <= FOLLOW_STDERR; i++) {
                const char *name = i == FOLLOW_STDOUT ? "stdout" : "stderr";

                snprintf(pointer, sizeof(pointer), "%s/%s", follow_outcome(record), name);
                set_part(logs, record, name, pointer);
        }
        text = json_dumps(logs, JSON_COMPACT);
        puts(text ? text : "{}");
}

static bool has_ended(struct poppo_reply *record)
{
        const char *state = poppo_reply_string(record, "/result/state", NULL);

        return state && strcmp(state, "queued") && strcmp(state, "delayed") && strcmp(state, "running");
}

static int print_kept(struct follow *f, struct poppo_reply *record)
{
        if (!f->cli->opt.follow && !has_ended(record))
                return cli_complain(f->cli, EXIT_TRY_AGAIN, "poppo logs -f prints what it writes",
                        "the task is %s", poppo_reply_string(record, "/result/state", NULL));
        if (!f->cli->opt.json)
                follow_rest(f, record);
        else if (!f->attempt)
                print_json(record);
        return EXIT_OK;
}

int cmd_logs(struct cli *cli)
{
        struct poppo_reply *record;
        struct follow f;
        int r, status = EXIT_OK;

        follow_init(&f, cli, stdout);
        if (cli->opt.follow)
                status = follow_task(&f);
        if (status)
                return status;
        r = poppo_result(cli->poppo, cli->operands[0], &record);
        if (r)
                return cli_fail(cli, r);
        status = print_kept(&f, record);
        poppo_reply_free(record);
        return status;
}
