/* Commands about projects: list, limit, usage. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/document.h"
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBER_TEXT = 24 };

/* The member as text; a word instead of 0 or of nothing. */
static const char *number_or(
        const json_t *v, const char *key, const char *otherwise, char text[static NUMBER_TEXT])
{
        json_int_t n = json_integer_value(json_object_get(v, key));

        snprintf(text, NUMBER_TEXT, "%" PRId64, (int64_t)n);
        return n ? text : otherwise;
}

static void print_projects(struct poppo_reply *reply)
{
        CLEANUP(cleanup_json) json_t *projects = json_loads(poppo_reply_json(reply, "/projects"), 0, NULL);
        struct table *t = table_new(5);
        const char *name;
        json_t *project;

        table_row(t, (const char *[]){"PROJECT", "USED", "LIMIT", "QUEUED", "STATE"});
        json_object_foreach(projects, name, project) {
                char used[NUMBER_TEXT], limit[NUMBER_TEXT], queued[NUMBER_TEXT];

                table_row(t, (const char *[]){name, number_or(project, "used", "0", used),
                                     number_or(project, "limit", "none", limit),
                                     number_or(project, "queued", "0", queued),
                                     json_is_true(json_object_get(project, "paused")) ? "paused" : "open"});
        }
        table_print(t, 1u << 1 | 1u << 2 | 1u << 3);
        table_free(t);
}

int cmd_project_list(struct cli *cli)
{
        struct poppo_reply *reply;
        int r = poppo_status(cli->poppo, &reply);

        if (r)
                return cli_fail(cli, r);
        if (cli->opt.json || !poppo_reply_json(reply, "/projects"))
                output_json(reply, "/projects");
        else
                print_projects(reply);
        poppo_reply_free(reply);
        return EXIT_OK;
}

int cmd_project_limit(struct cli *cli)
{
        struct poppo_reply *reply;
        const char *message;
        char *end;
        long long limit;
        int r;

        errno = 0;
        limit = strtoll(cli->operands[1], &end, 10);
        if (errno || *end || end == cli->operands[1] || limit < 0)
                return cli_complain(cli, EXIT_USAGE, NULL, "a limit is a whole number from 0, not \"%s\"",
                        cli->operands[1]);
        r = poppo_project_limit(cli->poppo, cli->operands[0], limit, &reply);
        if (r)
                return cli_fail(cli, r);
        message = poppo_reply_string(reply, "/message", NULL);
        if (cli->opt.json)
                output_json(reply, "");
        else
                puts(message ? message : "");
        poppo_reply_free(reply);
        return EXIT_OK;
}

static void print_usage(struct poppo_reply *reply)
{
        CLEANUP(cleanup_json) json_t *usage = json_loads(poppo_reply_json(reply, "/usage"), 0, NULL);
        struct table *t = table_new(2);
        const char *name;
        json_t *v;

        json_object_foreach(usage, name, v) {
                json_t *used = json_is_object(v) ? json_object_get(v, "used") : v;
                json_t *limit = json_object_get(v, "limit");
                char text[64];

                snprintf(text, sizeof(text), "%" PRId64, (int64_t)json_integer_value(used));
                if (limit)
                        snprintf(text, sizeof(text), "%" PRId64 "/%" PRId64,
                                (int64_t)json_integer_value(used), (int64_t)json_integer_value(limit));
                table_row(t, (const char *[]){name, text});
        }
        table_print(t, 0);
        table_free(t);
}

int cmd_project_usage(struct cli *cli)
{
        struct poppo_reply *reply;
        int r = poppo_project_usage(cli->poppo, cli->n_operands ? cli->operands[0] : NULL, &reply);

        if (r)
                return cli_fail(cli, r);
        if (cli->opt.json || !poppo_reply_json(reply, "/usage"))
                output_json(reply, "/usage");
        else
                print_usage(reply);
        poppo_reply_free(reply);
        return EXIT_OK;
}
