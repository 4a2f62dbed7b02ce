/* Help, made of the tables: what they do not say is in poppo(1). */
#include "cli/cli.h"

#include "cli/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Options that a synopsis names among the operands, or that every command has. */
#define OPT_NOT_IN_SYNOPSIS (OPT(EVAL) | OPT(COMMAND) | OPT_EVERYWHERE)

enum { USAGE_COLUMNS = 100 };

struct text {
        char *at;
        size_t left;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *format, ...)
{
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(t->at, t->left, format, ap);
        va_end(ap);
        n = n < 0 ? 0 : n;
        n = (size_t)n < t->left ? n : (int)t->left - 1;
        t->at += n;
        t->left -= (size_t)n;
}

/* The short form where there is one: [-p PROJECT], [--arg JSON ...]. */
static void add_option(struct text *t, const struct cli_option *o)
{
        if (o->letter)
                add(t, " [-%c", o->letter);
        else
                add(t, " [--%s", o->name);
        if (o->argument)
                add(t, " %s", o->argument);
        add(t, o->kind == KIND_LIST ? " ...]" : "]");
}

void cli_synopsis(const struct command *command, char *out, size_t size)
{
        struct text t = {out, size};

        add(&t, "poppo %s", command->name);
        for (int i = 0; i < OPTIONS; i++)
                if (command->takes & ~OPT_NOT_IN_SYNOPSIS & UINT64_C(1) << i)
                        add_option(&t, &cli_options[i]);
        add(&t, "%s%s", *command->operands ? " " : "", command->operands);
}

static void print_option(const struct cli_option *o)
{
        char left[64];
        struct text t = {left, sizeof(left)};

        if (o->letter)
                add(&t, "-%c, ", o->letter);
        else
                add(&t, "    ");
        add(&t, "--%s%s%s", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
        printf("  %-24s %s\n", left, o->doc);
}

static void print_options(uint64_t set)
{
        for (int i = 0; i < OPTIONS; i++)
                if (set >> i & 1)
                        print_option(&cli_options[i]);
}

void cli_help_overview(void)
{
        puts("usage: poppo [--socket PATH] [--json] COMMAND ...\n"
             "Runs code, requests and commands in the sandboxed processes of poppod.\n");
        for (size_t i = 0; i < cli_n_commands; i++)
                if (!strchr(cli_commands[i].name, ' '))
                        printf("  %-9s %s\n", cli_commands[i].name, cli_commands[i].doc);
        for (size_t i = 0; i < cli_n_groups; i++)
                printf("  %-9s %s\n", cli_groups[i].name, cli_groups[i].doc);
        puts("First: poppo daemon start && poppo run -e '6 * 7'; more: poppo help COMMAND");
}

void cli_help_group(const char *group)
{
        printf("usage: poppo %s COMMAND ...\n\n", group);
        for (size_t i = 0; i < cli_n_commands; i++)
                if (cli_in_group(&cli_commands[i], group))
                        printf("  %-16s %s\n", cli_commands[i].name, cli_commands[i].doc);
        printf("\nMore: poppo help %s COMMAND\n", group);
}

/* Lines break in front of options. */
static void print_synopsis(const char *synopsis)
{
        size_t column = (size_t)printf("usage: ");

        while (*synopsis) {
                const char *next = strstr(synopsis + 1, " [-");
                size_t len = next ? (size_t)(next - synopsis) : strlen(synopsis);

                if (column + len > USAGE_COLUMNS)
                        column = (size_t)printf("\n      ") - 1;
                printf("%.*s", (int)len, synopsis);
                column += len;
                synopsis += len;
        }
        putchar('\n');
}

void cli_help_command(const struct command *command)
{
        char synopsis[512];

        cli_synopsis(command, synopsis, sizeof(synopsis));
        print_synopsis(synopsis);
        printf("%s.\n\n", command->doc);
        print_options(command->takes);
        print_options(OPT_EVERYWHERE);
}

int cmd_help(struct cli *cli)
{
        char *words[2] = {(char *)(cli->n_operands > 0 ? cli->operands[0] : NULL),
                (char *)(cli->n_operands > 1 ? cli->operands[1] : NULL)};
        const struct command *command;
        int used;

        if (!cli->n_operands) {
                cli_help_overview();
                return EXIT_OK;
        }
        command = cli_find_command((int)cli->n_operands, words, &used);
        if (command && (size_t)used == cli->n_operands)
                cli_help_command(command);
        else if (cli->n_operands == 1 && cli_find_group(words[0]))
                cli_help_group(words[0]);
        else
                return cli_complain(cli, EXIT_USAGE, "poppo help lists the commands",
                        "unknown command \"%s%s%s\"", words[0], words[1] ? " " : "",
                        words[1] ? words[1] : "");
        return EXIT_OK;
}

int cmd_version(struct cli *cli)
{
        if (cli->opt.json)
                printf("{\"version\":\"%s\"}\n", poppo_version());
        else
                printf("poppo %s\n", poppo_version());
        return EXIT_OK;
}
