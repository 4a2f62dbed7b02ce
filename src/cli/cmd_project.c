/* Commands about projects: list, limit, set, pause, resume, usage. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "base/nearest.h"
#include "cli/document.h"
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_TEXT = 24 };

/* The member as text; a word instead of 0 or of nothing. */
static const char *number_or(
        const json_t *v, const char *key, const char *otherwise, char text[static NUMBER_TEXT])
{
        json_int_t n = json_integer_value(json_object_get(v, key));

        snprintf(text, NUMBER_TEXT, "%" PRId64, (int64_t)n);
        return n ? text : otherwise;
}

static const char *rate_or_none(const json_t *project, char text[static NUMBER_TEXT])
{
        double rate = json_number_value(json_object_get(project, "rateLimit"));

        snprintf(text, NUMBER_TEXT, "%g/s", rate);
        return rate > 0 ? text : "none";
}

static void print_projects(struct poppo_reply *reply)
{
        CLEANUP(cleanup_json) json_t *projects = json_loads(poppo_reply_json(reply, "/projects"), 0, NULL);
        struct table *t = table_new(7);
        const char *name;
        json_t *project;

        table_row(t, (const char *[]){"PROJECT", "USED", "LIMIT", "QUEUED", "RATE", "WEIGHT", "STATE"});
        json_object_foreach(projects, name, project) {
                char used[NUMBER_TEXT], limit[NUMBER_TEXT], queued[NUMBER_TEXT], rate[NUMBER_TEXT], weight[NUMBER_TEXT];

                table_row(t, (const char *[]){name, number_or(project, "used", "0", used),
                                     number_or(project, "limit", "none", limit),
                                     number_or(project, "queued", "0", queued), rate_or_none(project, rate),
                                     number_or(project, "weight", "1", weight),
                                     json_is_true(json_object_get(project, "paused")) ? "paused" : "open"});
        }
        table_print(t, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5);
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
        char *end;
        long long limit;
        int r;

        errno = 0;
        limit = strtoll(cli->operands[1], &end, 10);
        if (errno || *end || end == cli->operands[1] || limit < 0)
                return cli_complain(cli, EXIT_USAGE, NULL, "a limit is a whole number from 0, not \"%s\"",
                        cli->operands[1]);
        r = poppo_project_limit(cli->poppo, cli->operands[0], limit, &reply);
        return r ? cli_fail(cli, r) : output_line(cli, reply, "/message");
}

/* ---- set, pause, resume ---- */

static const char *const keys[] = {"processLimit", "rateLimit", "maxQueued", "weight", "maxPriority", "paused"};

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

/* true, false, a number, or else a string: the supervisor says what a key takes. */
static json_t *parse_value(const char *text)
{
        json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);

        return v ? v : json_string(text);
}

static int unknown_key(struct cli *cli, const char *word, size_t len)
{
        char name[32] = "", hint[64] = "";
        struct nearest near;

        if (len < sizeof(name))
                memcpy(name, word, len);
        nearest_init(&near, name);
        for (size_t i = 0; i < KEYS; i++)
                nearest_offer(&near, keys[i]);
        if (near.best)
                snprintf(hint, sizeof(hint), "did you mean %s=?", near.best);
        return cli_complain(cli, EXIT_USAGE, *hint ? hint : "poppo help project set lists them",
                "a project has no setting \"%.*s\"", (int)len, word);
}

static int add_setting(struct cli *cli, json_t *args, const char *word)
{
        size_t len = strcspn(word, "=");

        if (!word[len])
                return cli_complain(cli, EXIT_USAGE, NULL, "a setting is KEY=VALUE, not \"%s\"", word);
        for (size_t i = 0; i < KEYS; i++)
                if (strlen(keys[i]) == len && !memcmp(keys[i], word, len))
                        return json_object_set_new(args, keys[i], parse_value(word + len + 1)) ?
                                       cli_complain(cli, EXIT_DATA, NULL, "\"%s\" is not UTF-8", word) :
                                       EXIT_OK;
        return unknown_key(cli, word, len);
}

static int set_project(struct cli *cli, const json_t *args)
{
        CLEANUP(cleanup_free) char *text = json_dumps(args, JSON_COMPACT);
        struct poppo_reply *reply;
        int r = poppo_call(cli->poppo, "project-set", text, &reply);

        return r ? cli_fail(cli, r) : output_line(cli, reply, "/message");
}

int cmd_project_set(struct cli *cli)
{
        CLEANUP(cleanup_json) json_t *args = json_pack("{s:s}", "projectId", cli->operands[0]);

        if (!args)
                return cli_complain(cli, EXIT_DATA, NULL, "\"%s\" is not UTF-8", cli->operands[0]);
        for (size_t i = 1; i < cli->n_operands; i++) {
                int status = add_setting(cli, args, cli->operands[i]);

                if (status)
                        return status;
        }
        return set_project(cli, args);
}

static int set_paused(struct cli *cli, bool paused)
{
        CLEANUP(cleanup_json) json_t *args = json_pack("{s:s,s:b}", "projectId", cli->operands[0], "paused", paused);

        if (!args)
                return cli_complain(cli, EXIT_DATA, NULL, "\"%s\" is not UTF-8", cli->operands[0]);
        return set_project(cli, args);
}

int cmd_project_pause(struct cli *cli)
{
        return set_paused(cli, true);
}

int cmd_project_resume(struct cli *cli)
{
        return set_paused(cli, false);
}

/* ---- usage ---- */

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
