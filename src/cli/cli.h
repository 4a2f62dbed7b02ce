/*
 * Inside poppo(1): the options as parsed, the command table's rows, and what commands share. A command is a function in
 * one of the cmd_*.c files; it gets a struct cli and returns the exit status.
 */
#pragma once

#include "poppo/poppo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Beside those of a task's code (poppo_code_exit_status). 64 and up are those of sysexits.h. */
enum cli_exit {
        EXIT_OK = 0,
        EXIT_TASK = 1,
        EXIT_NOT_RUNNING = 3,
        EXIT_USAGE = 64,
        EXIT_DATA = 65,
        EXIT_UNREACHABLE = 69,
        EXIT_OUTPUT = 74,
        EXIT_TRY_AGAIN = 75,
        EXIT_DENIED = 77,
        EXIT_CONFIG = 78,
        EXIT_INTERRUPTED = 130,
};

enum { CLI_LIST_MAX = 256, CLI_INPUT_MAX = 16 * 1024 * 1024 };

struct cli_list {
        const char *items[CLI_LIST_MAX];
        size_t n;
};

#define CLI_C_FLAG bool
#define CLI_C_TEXT const char *
#define CLI_C_NUMBER int64_t
#define CLI_C_DURATION int64_t
#define CLI_C_LIST struct cli_list

enum cli_option_id {
#define OPTION(ID, ...) OPT_AT_##ID,
#include "cli/options.def"
        OPTIONS,
};

/* Sets of options: what a command takes, what was given. */
#define OPT(ID) (UINT64_C(1) << OPT_AT_##ID)
#define OPT_EVERYWHERE (OPT(SOCKET) | OPT(JSON) | OPT(HELP))

struct cli_options {
        uint64_t given;
#define OPTION(ID, member, letter, name, argument, KIND, doc) CLI_C_##KIND member;
#include "cli/options.def"
};

struct cli_option {
        const char *name, *argument, *doc;
        size_t offset;
        uint8_t kind;
        char letter;
};

enum cli_option_kind { KIND_FLAG, KIND_TEXT, KIND_NUMBER, KIND_DURATION, KIND_LIST };

extern const struct cli_option cli_options[OPTIONS];

struct cli {
        struct cli_options opt;
        const struct command *command;
        const char **operands;
        size_t n_operands;
        struct poppo *poppo;
};

#define CLI_GIVEN(cli, ID) (((cli)->opt.given & OPT(ID)) != 0)

/* One row of the command table. A name of two words is a group's member: "daemon start". */
struct command {
        const char *name, *operands, *doc;
        uint64_t takes;                 /* beside OPT_EVERYWHERE */
        int min_operands, max_operands; /* -1: any number */
        bool connects;                  /* the supervisor is reached before run */
        int (*run)(struct cli *cli);
        bool ends_options; /* the first operand ends the options, as with env(1) */
};

struct command_group {
        const char *name, *doc;
};

extern const struct command_group cli_groups[];
extern const size_t cli_n_groups;
extern const struct command cli_commands[];
extern const size_t cli_n_commands;

/* All of poppo(1): parses, dispatches, and returns the exit status. */
int cli_main(int argc, char **argv);

/* The command that argv begins with and how many words name it; NULL: none, *words is then 0. */
const struct command *cli_find_command(int argc, char **argv, int *words);
/* NULL: no group has this name. */
const struct command_group *cli_find_group(const char *word);
bool cli_in_group(const struct command *command, const char *group);

/* ---- options.c ---- */

/* Parses argv into options and operands (room for argc of them). takes: the options allowed. stop_at_operand: it and what
 * is behind it is left. Returns how many arguments were used, or the negative exit status after a message. */
int cli_parse(struct cli *cli, int argc, char **argv, uint64_t takes, bool stop_at_operand);

/* ---- help.c ---- */

void cli_help_overview(void);
void cli_help_group(const char *group);
void cli_help_command(const struct command *command);
/* "poppo run [-p PROJECT] ...": at most size - 1 bytes. */
void cli_synopsis(const struct command *command, char *out, size_t size);

/* ---- failure.c ---- */

/* "poppo: ..." on stderr, or {"error":{...}} with --json; returns the status. hint: what to try, or NULL. */
int cli_complain(const struct cli *cli, int status, const char *hint, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* After a libpoppo function has returned r, not 0: says what happened and what to try, and gives the exit status. */
int cli_fail(struct cli *cli, int r);
/* The same for a reply that an asynchronous call got; label ("line 3") names which, or NULL. */
int cli_fail_reply(struct cli *cli, struct poppo_reply *reply, const char *label);
/* Makes the handle, once, with the options' socket and name. 0, or an exit status after a message. */
int cli_prepare(struct cli *cli);
/* And connects. */
int cli_connect(struct cli *cli);
