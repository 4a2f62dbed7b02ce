/* Commands about tasks that were submitted before: wait, result, cancel, retry, why, list. */
#include "cli/cmd.h"

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "cli/batch.h"
#include "cli/document.h"
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Any id is passed on: that it is none, the supervisor says. */
static char *id_args(const char *id)
{
        CLEANUP(cleanup_json) json_t *args = json_pack("{s:s}", "id", id);

        return args ? json_dumps(args, JSON_COMPACT) : NULL;
}

static int wait_all(struct cli *cli, struct batch *b)
{
        for (size_t i = 0; i < cli->n_operands; i++) {
                CLEANUP(cleanup_free) char *args = id_args(cli->operands[i]);

                if (!args)
                        batch_skip(b, cli_complain(cli, EXIT_DATA, NULL, "an id is not UTF-8"));
                else if (!batch_send(b, cli->operands[i], "wait", args))
                        break;
        }
        return batch_finish(b);
}

int cmd_wait(struct cli *cli)
{
        struct batch *b = batch_new(cli, output_record, cli->n_operands > 1);
        int status;

        if (!b)
                return cli_complain(cli, EXIT_UNREACHABLE, NULL, "%s", error_text(-ENOMEM));
        status = wait_all(cli, b);
        batch_free(b);
        return status;
}

static bool has_ended(const char *state)
{
        return strcmp(state, "queued") && strcmp(state, "delayed") && strcmp(state, "running");
}

int cmd_result(struct cli *cli)
{
        struct poppo_reply *reply;
        const char *state;
        int status, r = poppo_result(cli->poppo, cli->operands[0], &reply);

        if (r)
                return cli_fail(cli, r);
        state = poppo_reply_string(reply, "/result/state", NULL);
        if (!state || has_ended(state)) {
                status = output_record(cli, reply, NULL);
        } else if (cli->opt.json) {
                output_json(reply, "/result");
                status = EXIT_OK;
        } else {
                status = cli_complain(
                        cli, EXIT_TRY_AGAIN, "poppo wait waits for its end", "the task is %s", state);
        }
        poppo_reply_free(reply);
        return status;
}

/* An op that takes an id and replies with a state. */
static int change_one(struct cli *cli, const char *op, const char *id)
{
        CLEANUP(cleanup_free) char *args = id_args(id);
        struct poppo_reply *reply;
        int r;

        if (!args)
                return cli_complain(cli, EXIT_DATA, NULL, "an id is not UTF-8");
        r = poppo_call(cli->poppo, op, args, &reply);
        return r ? cli_fail(cli, r) : output_line(cli, reply, "/state");
}

static int change_all(struct cli *cli, const char *op)
{
        int status = EXIT_OK;

        for (size_t i = 0; i < cli->n_operands; i++) {
                int one = change_one(cli, op, cli->operands[i]);

                status = status == EXIT_OK ? one : status;
        }
        return status;
}

int cmd_cancel(struct cli *cli)
{
        return change_all(cli, "cancel");
}

int cmd_retry(struct cli *cli)
{
        return change_all(cli, "retry");
}

/* ---- why ---- */

/* "attempt 2  worker 7  pid 4711  WORKER_CRASHED  KILL" for each attempt that did not succeed. */
static void print_ledger(struct poppo_reply *reply)
{
        CLEANUP(cleanup_json) json_t *attempts = json_loads(poppo_reply_json(reply, "/result/attempts"), 0, NULL);
        struct table *t = table_new(5);

        table_row(t, (const char *[]){"ATTEMPT", "WORKER", "PID", "OUTCOME", "SIGNAL"});
        for (size_t i = 0; t && i < json_array_size(attempts); i++) {
                const json_t *a = json_array_get(attempts, i);
                const char *outcome = json_string_value(json_object_get(a, "outcome"));
                char number[24], worker[24], pid[24];

                snprintf(number, sizeof(number), "%zu", i + 1);
                snprintf(worker, sizeof(worker), "%" PRId64, (int64_t)json_integer_value(json_object_get(a, "worker")));
                snprintf(pid, sizeof(pid), "%" PRId64, (int64_t)json_integer_value(json_object_get(a, "pid")));
                table_row(t, (const char *[]){number, worker, pid, outcome ? outcome : "running",
                                     json_string_value(json_object_get(a, "signal"))});
        }
        if (json_array_size(attempts))
                table_print(t, 1u << 0 | 1u << 1 | 1u << 2);
        table_free(t);
}

/* The last line, which mostly says what went wrong. */
static const char *last_line(char *text)
{
        size_t len = strlen(text);
        const char *newline;

        while (len && text[len - 1] == '\n')
                text[--len] = '\0';
        newline = strrchr(text, '\n');
        return newline ? newline + 1 : text;
}

static void print_fact(const char *name, const json_t *v)
{
        CLEANUP(cleanup_free) char *text = json_is_string(v) ? strdup(json_string_value(v))
                                                             : json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

        if (!text || !*text || json_is_null(v) || json_is_false(v) || json_is_object(v))
                return;
        output_text(stdout, name);
        fputs(": ", stdout);
        output_text(stdout, last_line(text));
        putchar('\n');
}

/* What the failure carries besides its sentence: exit status, signal, host, path ... The data of an error that the task's own
 * code threw is the task's. */
static void print_facts(struct poppo_reply *reply)
{
        const char *code = poppo_reply_string(reply, "/result/error/code", NULL);
        const char *text = poppo_reply_json(reply, "/result/error/data");
        CLEANUP(cleanup_json) json_t *data = text ? json_loads(text, JSON_ALLOW_NUL, NULL) : NULL;
        const char *name;
        json_t *v;

        if (!code || !strcmp(code, "TASK_ERROR"))
                return;
        json_object_foreach(data, name, v)
                print_fact(name, v);
}

int cmd_why(struct cli *cli)
{
        CLEANUP(cleanup_free) char *args = id_args(cli->operands[0]);
        struct poppo_reply *reply;
        const char *message;
        int r;

        if (!args)
                return cli_complain(cli, EXIT_DATA, NULL, "an id is not UTF-8");
        r = poppo_call(cli->poppo, "why", args, &reply);
        if (r)
                return cli_fail(cli, r);
        message = poppo_reply_string(reply, "/message", NULL);
        if (cli->opt.json) {
                output_json(reply, "");
        } else {
                output_text(stdout, message ? message : "");
                putchar('\n');
                print_facts(reply);
                print_ledger(reply);
        }
        poppo_reply_free(reply);
        return EXIT_OK;
}

/* ---- list ---- */

static char *list_filter(const struct cli *cli)
{
        CLEANUP(cleanup_json) json_t *filter = json_pack("{s:s*,s:s*,s:s*}", "state", cli->opt.state,
                "projectId", cli->opt.project, "before", cli->opt.before);

        if (filter && CLI_GIVEN(cli, LIMIT))
                json_object_set_new(filter, "limit", json_integer(cli->opt.limit));
        return filter ? json_dumps(filter, JSON_COMPACT) : NULL;
}

/* "12s", "3m", "5h", "2d": one unit is enough to see how old something is. */
static void format_age(int64_t ms, char *out, size_t size)
{
        static const struct {
                int64_t ms;
                char unit;
        } units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}, {0, 's'}};
        size_t i = 0;

        ms = ms < 0 ? 0 : ms;
        while (ms < units[i].ms)
                i++;
        snprintf(out, size, "%" PRId64 "%c", ms / (units[i].ms ? units[i].ms : 1000), units[i].unit);
}

static int64_t count_of(const json_t *v)
{
        return json_is_array(v) ? (int64_t)json_array_size(v) : json_integer_value(v);
}

static void add_task(struct table *t, const json_t *task, int64_t now)
{
        char priority[24], attempts[24], age[24];

        snprintf(priority, sizeof(priority), "%" PRId64,
                (int64_t)json_integer_value(json_object_get(task, "priority")));
        snprintf(attempts, sizeof(attempts), "%" PRId64, count_of(json_object_get(task, "attempts")));
        format_age(now - json_integer_value(json_object_get(task, "createdAt")), age, sizeof(age));
        table_row(t, (const char *[]){json_string_value(json_object_get(task, "id")),
                             json_string_value(json_object_get(task, "state")),
                             json_string_value(json_object_get(task, "type")),
                             json_string_value(json_object_get(task, "projectId")), priority, attempts, age,
                             json_string_value(json_object_get(task, "code"))});
}

static void print_tasks(struct poppo_reply *reply)
{
        CLEANUP(cleanup_json) json_t *body = json_loads(poppo_reply_json(reply, ""), 0, NULL);
        const json_t *tasks = json_object_get(body, "tasks");
        struct table *t = table_new(8);

        table_row(t, (const char *[]){"ID", "STATE", "TYPE", "PROJECT", "PRI", "ATTEMPTS", "AGE", "CODE"});
        for (size_t i = 0; t && i < json_array_size(tasks); i++)
                add_task(t, json_array_get(tasks, i), clock_wall_ms());
        if (json_array_size(tasks))
                table_print(t, 1u << 4 | 1u << 5 | 1u << 6);
        else
                fputs("no tasks\n", stderr);
        fflush(stdout);
        if (json_is_true(json_object_get(body, "more")))
                fputs("there are older ones: --before with the last id shows them\n", stderr);
        table_free(t);
}

int cmd_list(struct cli *cli)
{
        CLEANUP(cleanup_free) char *filter = list_filter(cli);
        struct poppo_reply *reply = NULL;
        int r;

        if (!filter)
                return cli_complain(cli, EXIT_DATA, NULL, "a filter is not UTF-8");
        r = poppo_list(cli->poppo, filter, &reply);
        return output_reply(cli, r, reply, print_tasks);
}
