/* poppo run and its shortcuts poppo call and poppo module: one task, waited for. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/document.h"
#include "cli/output.h"

#include <string.h>

/* Where a type's source and arguments go, or which command is for it. Handlers of one's own get the names in the last row,
 * and need no source. */
static const struct run_type {
        const char *name, *source, *args, *command;
} types[] = {
        {"execute-code", "code", NULL, NULL},
        {"execute-function", "fn", "args", NULL},
        {"execute-module", NULL, NULL, "poppo module"},
        {"http-request", NULL, NULL, "poppo http"},
        {"shell-command", NULL, NULL, "poppo sh"},
        {NULL, "code", "args", NULL},
};

static const struct run_type *find_type(const char *name)
{
        const struct run_type *t = types;

        while (t->name && strcmp(t->name, name))
                t++;
        return t;
}

/* The arguments, each a JSON text. 0 and *out, or an exit status. */
static int parse_args(struct cli *cli, const char *const *texts, size_t n, json_t **out)
{
        CLEANUP(cleanup_json) json_t *args = json_array();

        for (size_t i = 0; i < n; i++) {
                char label[64];
                json_t *value;
                int status;

                snprintf(label, sizeof(label), "argument %zu", i + 1);
                status = document_parse(cli, label, texts[i], strlen(texts[i]), &value);
                if (status)
                        return status;
                json_array_append_new(args, value);
        }
        *out = TAKE_PTR(args);
        return 0;
}

static int build_task(struct cli *cli, const char *type_name, json_t *source, json_t *args, json_t **out)
{
        const struct run_type *type = find_type(type_name);

        if (json_array_size(args) && !type->args)
                return cli_complain(cli, EXIT_USAGE, "--type execute-function takes arguments",
                        "%s takes no arguments", type_name);
        *out = json_pack("{s:s,s:O*}", "type", type_name, type->source, source);
        if (*out && type->args)
                json_object_set(*out, type->args, args);
        return 0;
}

static int submit_and_print(struct cli *cli, const json_t *task)
{
        CLEANUP(cleanup_json) json_t *options = document_options(cli, 1);
        CLEANUP(cleanup_free) char *task_text = json_dumps(task, JSON_COMPACT);
        CLEANUP(cleanup_free) char *options_text = json_dumps(options, JSON_COMPACT);
        struct poppo_reply *reply;
        int r, status;

        if (!task_text || !options_text)
                return cli_complain(cli, EXIT_DATA, NULL, "the type or an option is not UTF-8");
        status = cli_connect(cli);
        if (status)
                return status;
        r = poppo_run(cli->poppo, task_text, options_text, &reply);
        if (r && r != POPPO_FAILED)
                return cli_fail(cli, r);
        status = output_record(cli, reply, NULL);
        poppo_reply_free(reply);
        return status;
}

/* source NULL: none. */
static int run_source(struct cli *cli, const char *type, const char *source, size_t len,
        const char *const *args, size_t n_args)
{
        CLEANUP(cleanup_json) json_t *text = source ? json_stringn(source, len) : NULL;
        CLEANUP(cleanup_json) json_t *values = NULL;
        CLEANUP(cleanup_json) json_t *task = NULL;
        int status;

        if (source && !text)
                return cli_complain(cli, EXIT_DATA, NULL, "the code is not UTF-8");
        status = parse_args(cli, args, n_args, &values);
        if (!status)
                status = build_task(cli, type, text, values, &task);
        return status ? status : submit_and_print(cli, task);
}

/* Arguments make it a function unless --type says something else. */
static const char *choose_type(const struct cli *cli)
{
        if (cli->opt.type)
                return cli->opt.type;
        return cli->opt.args.n ? "execute-function" : "execute-code";
}

static int check_run(struct cli *cli)
{
        const struct run_type *type = find_type(choose_type(cli));

        if (type->command)
                return cli_complain(cli, EXIT_USAGE, type->command, "%s is no code to run; another command is for it",
                        type->name);
        if (cli->opt.eval && cli->n_operands)
                return cli_complain(cli, EXIT_USAGE, "poppo help run", "either -e CODE or a FILE is needed, not both");
        if (type->name && !cli->opt.eval && !cli->n_operands)
                return cli_complain(cli, EXIT_USAGE, "poppo help run", "either -e CODE or a FILE is needed");
        return 0;
}

int cmd_run(struct cli *cli)
{
        CLEANUP(cleanup_free) char *text = NULL;
        const char *code = cli->opt.eval;
        size_t len = code ? strlen(code) : 0;
        int status = check_run(cli);

        if (!status && cli->n_operands) {
                status = document_read(cli, cli->operands[0], &text, &len);
                code = text;
        }
        return status ? status : run_source(cli, choose_type(cli), code, len, cli->opt.args.items, cli->opt.args.n);
}

int cmd_call(struct cli *cli)
{
        return run_source(cli, "execute-function", cli->operands[0], strlen(cli->operands[0]),
                cli->operands + 1, cli->n_operands - 1);
}

/* METHOD - is the export itself. */
int cmd_module(struct cli *cli)
{
        CLEANUP(cleanup_json) json_t *task = NULL;
        CLEANUP(cleanup_json) json_t *args = NULL;
        const char *method = cli->n_operands > 1 && strcmp(cli->operands[1], "-") ? cli->operands[1] : NULL;
        size_t n = cli->n_operands > 2 ? cli->n_operands - 2 : 0;
        int status = parse_args(cli, cli->operands + 2, n, &args);

        if (status)
                return status;
        task = json_pack("{s:s,s:s,s:s*,s:O}", "type", "execute-module", "modulePath", cli->operands[0], "method", method,
                "args", args);
        return task ? submit_and_print(cli, task) : cli_complain(cli, EXIT_DATA, NULL, "a name is not UTF-8");
}
