/* The option parser: long and short options in any place, walked by the table of options.def. */
#include "cli/cli.h"

#include "base/nearest.h"
#include "base/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct cli_option cli_options[OPTIONS] = {
#define OPTION(ID, member, abbreviation, text, value, type, about)                                           \
        [OPT_AT_##ID] = {.name = text,                                                                       \
                .argument = value,                                                                           \
                .doc = about,                                                                                \
                .kind = KIND_##type,                                                                         \
                .letter = abbreviation,                                                                      \
                .offset = offsetof(struct cli_options, member)},
#include "cli/options.def"
};

struct parser {
        struct cli *cli;
        char **argv;
        int argc, at;
        uint64_t takes;
};

static int bad_value(struct parser *p, const struct cli_option *o, const char *value, const char *wanted)
{
        return cli_complain(p->cli, EXIT_USAGE, NULL, "--%s takes %s, not \"%s\"", o->name, wanted, value);
}

static int store_flag(struct parser *p, const struct cli_option *o, void *member, const char *value)
{
        (void)p;
        (void)o;
        (void)value;
        *(bool *)member = true;
        return 0;
}

static int store_text(struct parser *p, const struct cli_option *o, void *member, const char *value)
{
        (void)p;
        (void)o;
        *(const char **)member = value;
        return 0;
}

static int store_number(struct parser *p, const struct cli_option *o, void *member, const char *value)
{
        char *end;
        long long n;

        errno = 0;
        n = strtoll(value, &end, 10);
        if (end == value || *end || errno || n < 0 || *value == '+')
                return bad_value(p, o, value, "a whole number");
        *(int64_t *)member = n;
        return 0;
}

static int store_duration(struct parser *p, const struct cli_option *o, void *member, const char *value)
{
        if (units_parse_ms(value, member))
                return bad_value(p, o, value, "milliseconds, or a number with a unit like 500ms, 60s or 5m");
        return 0;
}

static int store_list(struct parser *p, const struct cli_option *o, void *member, const char *value)
{
        struct cli_list *list = member;

        if (list->n == CLI_LIST_MAX)
                return cli_complain(
                        p->cli, EXIT_USAGE, NULL, "--%s may be given %d times", o->name, CLI_LIST_MAX);
        list->items[list->n++] = value;
        return 0;
}

static int (*const stores[])(struct parser *, const struct cli_option *, void *, const char *) = {
        [KIND_FLAG] = store_flag,
        [KIND_TEXT] = store_text,
        [KIND_NUMBER] = store_number,
        [KIND_DURATION] = store_duration,
        [KIND_LIST] = store_list,
};

/* The option's argument: what is attached to it, or the next word. */
static int store(struct parser *p, int id, const char *attached)
{
        const struct cli_option *o = &cli_options[id];
        const char *value = attached;

        if (!o->argument && attached)
                return cli_complain(p->cli, EXIT_USAGE, NULL, "--%s takes no argument", o->name);
        if (o->argument && !attached) {
                if (p->at == p->argc)
                        return cli_complain(
                                p->cli, EXIT_USAGE, NULL, "--%s needs its %s", o->name, o->argument);
                value = p->argv[p->at++];
        }
        p->cli->opt.given |= UINT64_C(1) << id;
        return stores[o->kind](p, o, (char *)&p->cli->opt + o->offset, value);
}

static int unknown_option(struct parser *p, const char *word, size_t len)
{
        char name[32] = "", hint[64] = "";
        struct nearest near;

        if (len < sizeof(name))
                memcpy(name, word, len);
        nearest_init(&near, name);
        for (int i = 0; i < OPTIONS; i++)
                if (p->takes >> i & 1)
                        nearest_offer(&near, cli_options[i].name);
        if (near.best && *name) {
                strcpy(hint, "did you mean --");
                strncat(hint, near.best, 32);
                strcat(hint, "?");
        }
        return cli_complain(p->cli, EXIT_USAGE, *hint ? hint : NULL, "unknown option --%.*s", (int)len, word);
}

static int parse_long(struct parser *p, const char *word)
{
        size_t len = strcspn(word, "=");

        for (int i = 0; i < OPTIONS; i++)
                if ((p->takes >> i & 1) && strlen(cli_options[i].name) == len &&
                        !memcmp(cli_options[i].name, word, len))
                        return store(p, i, word[len] ? word + len + 1 : NULL);
        return unknown_option(p, word, len);
}

static int find_letter(const struct parser *p, char letter)
{
        for (int i = 0; i < OPTIONS; i++)
                if ((p->takes >> i & 1) && cli_options[i].letter == letter)
                        return i;
        return -1;
}

/* -vr is -v -r; the first one that takes an argument takes the rest of the word as it. */
static int parse_letters(struct parser *p, const char *word)
{
        int status = 0;

        while (*word && !status) {
                int id = find_letter(p, *word++);

                if (id < 0)
                        return cli_complain(p->cli, EXIT_USAGE, NULL, "unknown option -%c", word[-1]);
                if (cli_options[id].argument)
                        return store(p, id, *word ? word : NULL);
                status = store(p, id, NULL);
        }
        return status;
}

/* "-" is standard input, and -1 a number: no option begins with a digit. */
static bool is_option(const char *word)
{
        return word[0] == '-' && word[1] && !(word[1] >= '0' && word[1] <= '9');
}

int cli_parse(struct cli *cli, int argc, char **argv, uint64_t takes, bool stop_at_operand)
{
        struct parser p = {.cli = cli, .argv = argv, .argc = argc, .takes = takes};
        bool only_operands = false;

        while (p.at < argc) {
                const char *word = argv[p.at];
                int status;

                if (only_operands || !is_option(word)) {
                        if (stop_at_operand)
                                break;
                        cli->operands[cli->n_operands++] = word;
                        p.at++;
                        continue;
                }
                p.at++;
                if (!strcmp(word, "--")) {
                        only_operands = true;
                        continue;
                }
                status = word[1] == '-' ? parse_long(&p, word + 2) : parse_letters(&p, word + 1);
                if (status)
                        return -status;
        }
        return p.at;
}
