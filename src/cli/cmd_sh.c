/* poppo sh: a command as if it ran here: its input, its output as it comes, its exit status. */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "cli/collect.h"
#include "cli/document.h"
#include "cli/output.h"
#include "cli/request.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As shells have it. */
enum { EXIT_NOT_RUN = 126, EXIT_NOT_FOUND = 127, EXIT_SIGNALLED = 128 };

/* ---- the task ---- */

static int add_command(struct request *r)
{
        struct cli *cli = r->cli;
        json_t *argv;

        if (!cli->opt.command == !cli->n_operands)
                return cli_complain(cli, EXIT_USAGE, "poppo help sh",
                        "either -c LINE or a COMMAND is needed%s", cli->opt.command ? ", not both" : "");
        if (cli->opt.command)
                return request_set_text(r, r->task, "command", cli->opt.command);
        argv = json_array();
        json_object_set_new(r->task, "argv", argv);
        for (size_t i = 0; i < cli->n_operands; i++)
                if (json_array_append_new(argv, json_string(cli->operands[i])))
                        return cli_complain(cli, EXIT_DATA, NULL, "argument %zu is not UTF-8", i);
        return 0;
}

static int add_environment(struct request *r, json_t *options)
{
        const struct cli_list *env = &r->cli->opt.env;
        json_t *variables = json_object();
        int status = 0;

        json_object_set_new(options, "env", variables);
        for (size_t i = 0; i < env->n && !status; i++) {
                const char *equals = strchr(env->items[i], '=');
                CLEANUP(cleanup_free)
                char *name = equals ? strndup(env->items[i], (size_t)(equals - env->items[i])) : NULL;

                if (!name)
                        return cli_complain(r->cli, EXIT_USAGE, NULL, "--env takes NAME=VALUE, not \"%s\"",
                                env->items[i]);
                status = request_set_text(r, variables, name, equals + 1);
        }
        return status;
}

/* PATH=LOCAL, or one name for both. */
static int add_file(struct request *r, json_t *files, const char *word)
{
        const char *equals = strchr(word, '=');
        CLEANUP(cleanup_free) char *path = strndup(word, equals ? (size_t)(equals - word) : strlen(word));
        char *content;
        size_t len;
        int status;

        if (!path)
                return EXIT_UNREACHABLE;
        if (*path == '/')
                return cli_complain(r->cli, EXIT_USAGE, "name it as in --file data.csv=/home/me/data.csv",
                        "--file: the command finds it in its private directory, not at %s", path);
        status = document_read(r->cli, equals ? equals + 1 : path, &content, &len);
        return status ? status : request_set_bytes(r, files, "/task/options/files", path, content, len);
}

static int add_files(struct request *r, json_t *options)
{
        json_t *files = json_object();
        int status = 0;

        json_object_set_new(options, "files", files);
        for (size_t i = 0; i < r->cli->opt.files.n && !status; i++)
                status = add_file(r, files, r->cli->opt.files.items[i]);
        return status;
}

static int add_patterns(struct request *r, json_t *options)
{
        const struct cli_list *globs = &r->cli->opt.collect;
        json_t *patterns;

        if (!r->cli->opt.output && !r->cli->opt.json)
                return cli_complain(
                        r->cli, EXIT_USAGE, NULL, "--collect needs -o DIR, where the files are put");
        patterns = json_array();
        json_object_set_new(options, "collect", patterns);
        for (size_t i = 0; i < globs->n; i++)
                if (json_array_append_new(patterns, json_string(globs->items[i])))
                        return cli_complain(r->cli, EXIT_DATA, NULL, "a pattern is not UTF-8");
        return 0;
}

/* A terminal is for the person at it: a command without input does not wait for one. */
static int add_input(struct request *r, json_t *options)
{
        char *input;
        size_t len;
        int status;

        if (r->cli->opt.no_stdin || isatty(STDIN_FILENO))
                return 0;
        status = document_read(r->cli, "-", &input, &len);
        return status ? status : request_set_bytes(r, options, "/task/options", "stdin", input, len);
}

/* Bytes go through as they are; a record for people is text. */
static int add_options(struct request *r)
{
        const struct cli_options *o = &r->cli->opt;
        json_t *options = json_object();
        int status;

        json_object_set_new(r->task, "options", options);
        if (!o->json)
                json_object_set_new(options, "encoding", json_string("bytes"));
        status = request_set_text(r, options, "cwd", o->cwd);
        if (!status && o->env.n)
                status = add_environment(r, options);
        if (!status && o->files.n)
                status = add_files(r, options);
        if (!status && o->collect.n)
                status = add_patterns(r, options);
        return status ? status : add_input(r, options);
}

/* ---- the end ---- */

static int signal_number(const char *name)
{
        if (!strncmp(name, "SIG", 3))
                name += 3;
        for (int i = 1; i < NSIG; i++) {
                const char *known = sigabbrev_np(i);

                if (known && !strcmp(known, name))
                        return i;
        }
        return 0;
}

/* The command's status where it is that of its own end; else what poppo says to the record's code. */
static int exit_status(struct poppo_reply *record)
{
        const char *code = poppo_reply_string(record, "/result/error/code", NULL);
        const char *name = poppo_reply_string(record, "/result/error/data/signal", NULL);
        int64_t own;

        if (!code || strcmp(code, "EXIT_STATUS"))
                return output_status(record);
        if (name && signal_number(name))
                return EXIT_SIGNALLED + signal_number(name);
        return poppo_reply_int(record, "/result/error/data/exitCode", &own) || own < 1 || own > 255
                       ? EXIT_TASK
                       : (int)own;
}

static bool was_cut(struct poppo_reply *record)
{
        const char *truncated = poppo_reply_json(record, "/result/truncated");

        return truncated && !strcmp(truncated, "true");
}

/* A status other than 0 is the command's answer, and no failure to talk about; but one that could not be run cannot talk. */
static void tell_failure(const struct cli *cli, struct poppo_reply *record)
{
        const char *code = poppo_reply_string(record, "/result/error/code", NULL);
        const char *message = poppo_reply_string(record, "/result/error/message", NULL);
        const void *words;
        size_t len = 0;
        int64_t own = 0;

        if (!output_status(record))
                return;
        if (!code || strcmp(code, "EXIT_STATUS")) {
                output_failure(record, NULL, false);
                return;
        }
        poppo_reply_int(record, "/result/error/data/exitCode", &own);
        poppo_reply_bytes(record, "/result/error/data/stderr", &words, &len);
        if ((own == EXIT_NOT_RUN || own == EXIT_NOT_FOUND) && !len && message)
                cli_complain(cli, 0, NULL, "%s", message);
}

static int hand_on(struct follow *f, struct poppo_reply *record)
{
        struct cli *cli = f->cli;
        int status = exit_status(record), collected;

        if (cli->opt.json) {
                output_json(record, "/result");
                return status;
        }
        follow_rest(f, record);
        if (was_cut(record))
                cli_complain(cli, 0, "taskTypes.shell-command.maxOutputBytes is what is kept",
                        "the output was cut");
        tell_failure(cli, record);
        collected = cli->opt.collect.n ? collect_files(cli, record, cli->opt.output) : EXIT_OK;
        return status ? status : collected;
}

int cmd_sh(struct cli *cli)
{
        struct poppo_reply *reply;
        struct request r;
        struct follow f;
        int status = request_init(&r, cli, "shell-command");

        follow_init(&f, cli, stderr);
        if (!status)
                status = add_command(&r);
        if (!status)
                status = add_options(&r);
        if (!status)
                status = request_run(&r, &f, !cli->opt.json, &reply);
        request_fini(&r);
        if (status)
                return status;
        status = hand_on(&f, reply);
        poppo_reply_free(reply);
        return status;
}
