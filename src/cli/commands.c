/*
 * The command table, and the way from argv to a command's function. Help, the synopses in poppo(1) and the shells'
 * completions come from the same rows.
 */
#include "cli/cli.h"

#include "base/cleanup.h"
#include "base/nearest.h"
#include "cli/cmd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANY_NUMBER = -1 };

#define TASK_OPTIONS (OPT(PROJECT) | OPT(PRIORITY) | OPT(TIMEOUT) | OPT(ATTEMPTS))
#define START_OPTIONS (OPT(CONFIG) | OPT(STATE_DIR) | OPT(LOG))

const struct command cli_commands[] = {
        {"run", "(-e CODE | FILE | -)", "Run JavaScript, wait, print its value",
                TASK_OPTIONS | OPT(TYPE) | OPT(ARG) | OPT(RAW) | OPT(EVAL), 0, 1, false, cmd_run},
        {"call", "FUNCTION [JSON ...]", "Call a JavaScript function with these arguments",
                TASK_OPTIONS | OPT(RAW), 1, ANY_NUMBER, false, cmd_call},
        {"module", "NAME [METHOD [JSON ...]]", "Call a CommonJS module's export with these arguments",
                TASK_OPTIONS | OPT(RAW), 1, ANY_NUMBER, false, cmd_module},
        {"http", "URL", "Make a request, print the response's body",
                TASK_OPTIONS | OPT(REQUEST) | OPT(HEADER) | OPT(DATA) | OPT(INCLUDE), 1, 1, false, cmd_http},
        {"sh", "(-c LINE | COMMAND [ARG ...])", "Run a command, hand on what it writes and its status",
                TASK_OPTIONS | OPT(COMMAND) | OPT(CWD) | OPT(ENV) | OPT(FILE) | OPT(COLLECT) | OPT(OUTPUT) |
                        OPT(NO_STDIN),
                0, ANY_NUMBER, false, cmd_sh, true},
        {"submit", "(FILE | -)", "Hand in one task document or many, print their ids",
                TASK_OPTIONS | OPT(KEY) | OPT(DELAY) | OPT(WAIT) | OPT(RAW), 1, 1, false, cmd_submit},
        {"wait", "ID ...", "Wait for tasks, print their values", OPT(RAW), 1, ANY_NUMBER, true, cmd_wait},
        {"result", "ID", "Print what is known of a task now", OPT(RAW), 1, 1, true, cmd_result},
        {"cancel", "ID ...", "Cancel tasks, print the state they ended in", 0, 1, ANY_NUMBER, true, cmd_cancel},
        {"retry", "ID ...", "Queue dead tasks anew", 0, 1, ANY_NUMBER, true, cmd_retry},
        {"logs", "ID", "Print what a task wrote", OPT(FOLLOW), 1, 1, true, cmd_logs},
        {"why", "ID", "Say what a task waits for, or how it ended", 0, 1, 1, true, cmd_why},
        {"list", "", "List tasks, newest first", OPT(PROJECT) | OPT(STATE) | OPT(LIMIT) | OPT(BEFORE), 0, 0, true,
                cmd_list},
        {"stats", "", "Show the pool's counts", 0, 0, 0, true, cmd_stats},
        {"project list", "", "List projects with their use and limits", 0, 0, 0, true, cmd_project_list},
        {"project limit", "NAME N", "Let at most N tasks of a project run at once; 0 is no limit", 0, 2, 2, true,
                cmd_project_limit},
        {"project set", "NAME KEY=VALUE ...",
                "Change processLimit, rateLimit, maxQueued, weight, maxPriority or paused", 0, 2, ANY_NUMBER, true,
                cmd_project_set},
        {"project pause", "NAME", "Start no more tasks of a project", 0, 1, 1, true, cmd_project_pause},
        {"project resume", "NAME", "Let a project's tasks go on", 0, 1, 1, true, cmd_project_resume},
        {"project usage", "[NAME]", "Show how many workers projects use", 0, 0, 1, true, cmd_project_usage},
        {"doctor", "", "Say which layers of isolation hold here, and what helps", OPT(CONFIG), 0, 0, false,
                cmd_doctor},
        {"daemon start", "", "Start the supervisor in the background", START_OPTIONS, 0, 0, false, cmd_daemon_start},
        {"daemon stop", "", "Finish what runs, then end the supervisor", OPT(NOW), 0, 0, false, cmd_daemon_stop},
        {"daemon restart", "", "Stop, then start with the same options", START_OPTIONS, 0, 0, false,
                cmd_daemon_restart},
        {"daemon status", "", "Show pool, projects and isolation", OPT(VERBOSE), 0, 0, false, cmd_daemon_status},
        {"daemon reload", "", "Read the configuration again", 0, 0, 0, true, cmd_daemon_reload},
        {"daemon drain", "", "Refuse new tasks, finish what is there", 0, 0, 0, true, cmd_daemon_drain},
        {"store stats", "", "Show what keeps durable tasks, and how it does", 0, 0, 0, true, cmd_store_stats},
        {"store compact", "", "Give the store's unused room back to the disk", 0, 0, 0, true, cmd_store_compact},
        {"store check", "FILE", "Look for damage in the file of a supervisor that does not run", 0, 1, 1, false,
                cmd_store_check},
        {"store export", "FILE", "Print what can be read of it, a task a line", 0, 1, 1, false, cmd_store_export},
        {"store recover", "FILE", "Write what can be read of it to FILE.recovered", 0, 1, 1, false, cmd_store_recover},
        {"help", "[COMMAND ...]", "Explain a command", 0, 0, 2, false, cmd_help},
        {"version", "", "Show the version", 0, 0, 0, false, cmd_version},
};

const size_t cli_n_commands = sizeof(cli_commands) / sizeof(cli_commands[0]);

const struct command_group cli_groups[] = {
        {"project", "Projects: list, limit, set, pause, resume, usage"},
        {"store", "Durable tasks: stats, compact, check, export, recover"},
        {"daemon", "The supervisor: start, stop, restart, status, reload, drain"},
};

const size_t cli_n_groups = sizeof(cli_groups) / sizeof(cli_groups[0]);

/* ---- finding a command ---- */

const struct command_group *cli_find_group(const char *word)
{
        for (size_t i = 0; i < cli_n_groups; i++)
                if (!strcmp(cli_groups[i].name, word))
                        return &cli_groups[i];
        return NULL;
}

bool cli_in_group(const struct command *command, const char *group)
{
        size_t len = strlen(group);

        return !strncmp(command->name, group, len) && command->name[len] == ' ';
}

const struct command *cli_find_command(int argc, char **argv, int *words)
{
        char name[64];

        for (*words = argc > 1 ? 2 : 1; *words > 0 && argc > 0; --*words) {
                snprintf(name, sizeof(name), *words > 1 ? "%s %s" : "%s", argv[0], *words > 1 ? argv[1] : "");
                for (size_t i = 0; i < cli_n_commands; i++)
                        if (!strcmp(cli_commands[i].name, name))
                                return &cli_commands[i];
        }
        *words = 0;
        return NULL;
}

/* What could stand in place of the last word: members of the group, or commands and groups. */
static const char *nearest_command(const char *group, const char *word)
{
        struct nearest near;

        nearest_init(&near, word);
        for (size_t i = 0; i < cli_n_commands; i++)
                if (!group || cli_in_group(&cli_commands[i], group))
                        nearest_offer(&near, cli_commands[i].name + (group ? strlen(group) + 1 : 0));
        for (size_t i = 0; !group && i < cli_n_groups; i++)
                nearest_offer(&near, cli_groups[i].name);
        return near.best;
}

static int unknown_command(struct cli *cli, int argc, char **argv)
{
        const char *group = cli_find_group(argv[0]) ? argv[0] : NULL;
        const char *word = group ? argv[1] : argv[0];
        const char *meant;
        char hint[128] = "poppo help lists the commands";

        if (group && (argc < 2 || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))) {
                cli_help_group(group);
                return argc < 2 ? EXIT_USAGE : EXIT_OK;
        }
        meant = nearest_command(group, word);
        if (meant)
                snprintf(hint, sizeof(hint), "did you mean: poppo %s%s%s", group ? group : "", group ? " " : "", meant);
        return cli_complain(cli, EXIT_USAGE, hint, "unknown command \"%s%s%s\"", group ? group : "",
                group ? " " : "", word);
}

/* ---- running it ---- */

static int check_operands(struct cli *cli)
{
        const struct command *c = cli->command;
        char synopsis[512];

        if ((int)cli->n_operands >= c->min_operands &&
                (c->max_operands < 0 || (int)cli->n_operands <= c->max_operands))
                return 0;
        cli_synopsis(c, synopsis, sizeof(synopsis));
        return cli_complain(cli, EXIT_USAGE, NULL, "too %s operands\nusage: %s",
                (int)cli->n_operands < c->min_operands ? "few" : "many", synopsis);
}

static int run_command(struct cli *cli, int argc, char **argv)
{
        bool ends = cli->command->ends_options;
        int r = cli_parse(cli, argc, argv, cli->command->takes | OPT_EVERYWHERE, ends);

        if (r < 0)
                return -r;
        while (r < argc)
                cli->operands[cli->n_operands++] = argv[r++];
        if (cli->opt.help) {
                cli_help_command(cli->command);
                return EXIT_OK;
        }
        r = check_operands(cli);
        if (!r && cli->command->connects)
                r = cli_connect(cli);
        return r ? r : cli->command->run(cli);
}

static int dispatch(struct cli *cli, int argc, char **argv)
{
        int words, used = cli_parse(cli, argc, argv, OPT_EVERYWHERE | OPT(VERSION), true);

        if (used < 0)
                return -used;
        if (cli->opt.version)
                return cmd_version(cli);
        if (used == argc) {
                cli_help_overview();
                return cli->opt.help ? EXIT_OK : EXIT_USAGE;
        }
        cli->command = cli_find_command(argc - used, argv + used, &words);
        if (!cli->command)
                return unknown_command(cli, argc - used, argv + used);
        return run_command(cli, argc - used - words, argv + used + words);
}

/* Closing the connection is what cancels a waited run: ending at once is all there is to do. */
static void on_interrupt(int sig)
{
        (void)sig;
        _exit(EXIT_INTERRUPTED);
}

/* Output that could not be written is a failure, whatever else went well. */
static int close_output(struct cli *cli, int status)
{
        if (fflush(stdout) || ferror(stdout))
                return cli_complain(cli, EXIT_OUTPUT, NULL, "cannot write the output: %s", strerror(errno));
        return status;
}

int cli_main(int argc, char **argv)
{
        CLEANUP(cleanup_free) const char **operands = calloc((size_t)argc + 1, sizeof(*operands));
        struct cli cli = {.operands = operands};
        int status;

        if (!operands)
                return EXIT_UNREACHABLE;
        sigaction(SIGINT, &(struct sigaction){.sa_handler = on_interrupt}, NULL);
        status = close_output(&cli, dispatch(&cli, argc - 1, argv + 1));
        poppo_free(cli.poppo);
        return status;
}
