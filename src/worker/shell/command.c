/* The parser: one pass over the bytes, no lookahead beyond the next one or two. */
#include "worker/shell/command.h"

#include <errno.h>
#include <stdbool.h>

struct reader {
        const uint8_t *begin, *at, *end;
        struct command *out;
        struct wire_refusal *why;
        int error; /* of a buffer; sticks */
};

/* What begins a word of the shell's own, or a command that only the shell has and that changes how it goes
 * on. Each stands in the way of an executable of that name. */
static const char *const reserved[] = {"!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else",
        "esac", "fi", "for", "function", "if", "in", "select", "then", "time", "until", "while", "{", "}",
        ".", ":", "alias", "bg", "break", "builtin", "cd", "command", "continue", "declare", "eval", "exec",
        "exit", "export", "fc", "fg", "getopts", "hash", "jobs", "let", "local", "read", "readonly", "return",
        "set", "shift", "source", "times", "trap", "type", "typeset", "ulimit", "umask", "unalias", "unset",
        "wait"};

static int refuse(const struct reader *r, const uint8_t *at, const char *what)
{
        return wire_refuse(r->why, WIRE_COMMAND_REFUSED,
                "%s at byte %zu of the command: with a list of what may run only simple "
                "commands may, joined by &&, ||, ; or newlines",
                what, (size_t)(at - r->begin) + 1);
}

static void put(struct reader *r, struct buf *to, const void *data, size_t n)
{
        int e = buf_append(to, data, n);

        if (e && !r->error)
                r->error = e;
}

static void put_byte(struct reader *r, uint8_t byte)
{
        put(r, &r->out->text, &byte, 1);
}

static bool more(const struct reader *r)
{
        return r->at < r->end;
}

static bool next_is(const struct reader *r, size_t ahead, uint8_t byte)
{
        return (size_t)(r->end - r->at) > ahead && r->at[ahead] == byte;
}

static bool is_one_of(uint8_t byte, const char *set)
{
        return byte && strchr(set, byte);
}

/* Behind `ahead` more bytes a word ends. */
static bool ends_word(const struct reader *r, size_t ahead)
{
        return (size_t)(r->end - r->at) <= ahead || is_one_of(r->at[ahead], " \t\n;&|<>()");
}

/* ---- words ---- */

static int read_single(struct reader *r)
{
        const uint8_t *quote = r->at++;

        while (more(r) && *r->at != '\'')
                put_byte(r, *r->at++);
        if (!more(r))
                return refuse(r, quote, "a quote that is not closed");
        r->at++;
        return 0;
}

/* Behind a backslash; a newline there joins two lines. */
static int read_escaped(struct reader *r)
{
        const uint8_t *backslash = r->at++;

        if (!more(r))
                return refuse(r, backslash, "a backslash with nothing behind it");
        if (*r->at != '\n')
                put_byte(r, *r->at);
        r->at++;
        return 0;
}

static int read_double(struct reader *r)
{
        const uint8_t *quote = r->at++;
        int e = 0;

        while (!e && more(r) && *r->at != '"') {
                if (is_one_of(*r->at, "$`"))
                        return refuse(r, r->at, "an expansion");
                if (*r->at == '\\' && r->end - r->at > 1 && is_one_of(r->at[1], "$`\"\\\n"))
                        e = read_escaped(r);
                else
                        put_byte(r, *r->at++);
        }
        if (e || !more(r))
                return e ? e : refuse(r, quote, "a quote that is not closed");
        r->at++;
        return 0;
}

/* What has a meaning only at some places of a word. start: nothing of it has been read. */
static const char *special(const struct reader *r, bool start, uint8_t before)
{
        uint8_t c = *r->at;

        if (is_one_of(c, "$`"))
                return "an expansion";
        if (is_one_of(c, "*?") || (c == '[' && !(start && ends_word(r, 1))))
                return "a pattern";
        if (c == '~' && (start || is_one_of(before, ":=")))
                return "a home directory";
        if ((c == '{' && !(start && next_is(r, 1, '}') && ends_word(r, 2))) || (c == '}' && before != '{'))
                return "a brace";
        return NULL;
}

static bool continues_name(uint8_t c, bool first)
{
        return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (!first && c >= '0' && c <= '9');
}

/* A word and its NUL. plain: nothing in it was quoted, so that it can be a reserved one. */
static int read_word(struct reader *r, bool is_command, bool *plain)
{
        const uint8_t *start = r->at;
        bool name = is_command;
        uint8_t before = 0;
        int e = 0;

        *plain = true;
        while (!e && !ends_word(r, 0)) {
                uint8_t c = *r->at;
                const char *what = special(r, r->at == start, before);

                if (what)
                        return refuse(r, r->at, what);
                if (c == '=' && name && r->at > start)
                        return refuse(r, start, "an assignment");
                name = name && continues_name(c, r->at == start);
                *plain = *plain && !is_one_of(c, "'\"\\");
                before = is_one_of(c, "'\"\\") ? 0 : c;
                if (c == '\'')
                        e = read_single(r);
                else if (c == '"')
                        e = read_double(r);
                else if (c == '\\')
                        e = read_escaped(r);
                else
                        put_byte(r, *r->at++);
        }
        put_byte(r, 0);
        return e;
}

static int check_reserved(const struct reader *r, const uint8_t *at, const char *word)
{
        for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
                if (!strcmp(word, reserved[i]))
                        return refuse(r, at, "a word of the shell's own");
        return 0;
}

/* ---- commands ---- */

/* Blanks, joined lines, and a comment up to its newline. */
static void skip_blanks(struct reader *r)
{
        for (;;) {
                if (more(r) && is_one_of(*r->at, " \t"))
                        r->at++;
                else if (next_is(r, 0, '\\') && next_is(r, 1, '\n'))
                        r->at += 2;
                else
                        break;
        }
        if (next_is(r, 0, '#'))
                while (more(r) && *r->at != '\n')
                        r->at++;
}

static void skip_lines(struct reader *r)
{
        skip_blanks(r);
        while (next_is(r, 0, '\n')) {
                r->at++;
                skip_blanks(r);
        }
}

static int read_simple(struct reader *r, enum command_join join)
{
        struct command_simple s = {.join = join, .first = buf_size(&r->out->words) / sizeof(size_t)};
        const uint8_t *start = r->at;
        int e = 0;

        for (; !e && !ends_word(r, 0); skip_blanks(r)) {
                size_t at = buf_size(&r->out->text);
                const uint8_t *begin = r->at;
                bool plain;

                put(r, &r->out->words, &at, sizeof(at));
                e = read_word(r, !s.n, &plain);
                if (!e && !r->error && !s.n && plain)
                        e = check_reserved(r, begin, (const char *)buf_head(&r->out->text) + at);
                s.n++;
        }
        if (!e && !s.n)
                return refuse(
                        r, start, more(r) ? "no command before this" : "the end where a command should be");
        put(r, &r->out->simples, &s, sizeof(s));
        return e;
}

/* What stands between two commands. 0 and *join; COMMAND_FIRST: it was the end. */
static int read_join(struct reader *r, enum command_join *join)
{
        static const struct {
                char first, second;
                enum command_join join;
                const char *fault;
        } operators[] = {{'&', '&', COMMAND_AND, NULL}, {'|', '|', COMMAND_OR, NULL},
                {';', ';', 0, "a case's end"}, {';', 0, COMMAND_THEN, NULL}, {'\n', 0, COMMAND_THEN, NULL},
                {'&', 0, 0, "a command in the background"}, {'|', 0, 0, "a pipe"},
                {'<', 0, 0, "a redirection"}, {'>', 0, 0, "a redirection"}, {'(', 0, 0, "a parenthesis"},
                {')', 0, 0, "a parenthesis"}};

        *join = COMMAND_FIRST;
        for (size_t i = 0; more(r) && i < sizeof(operators) / sizeof(operators[0]); i++) {
                if (*r->at != (uint8_t)operators[i].first ||
                        (operators[i].second && !next_is(r, 1, (uint8_t)operators[i].second)))
                        continue;
                if (operators[i].fault)
                        return refuse(r, r->at, operators[i].fault);
                r->at += operators[i].second ? 2 : 1;
                *join = operators[i].join;
                break;
        }
        /* A newline may stand behind any of them, but behind a semicolon it may also be the end. */
        skip_lines(r);
        if (*join == COMMAND_THEN && !more(r))
                *join = COMMAND_FIRST;
        return 0;
}

static int read_list(struct reader *r)
{
        enum command_join join = COMMAND_FIRST;
        int e;

        skip_lines(r);
        do {
                e = read_simple(r, join);
                if (!e)
                        e = read_join(r, &join);
        } while (!e && join != COMMAND_FIRST);
        return e;
}

int command_parse(struct command *c, struct bytes line, struct wire_refusal *why)
{
        struct reader r = {
                .begin = line.data, .at = line.data, .end = line.data + line.len, .out = c, .why = why};
        const uint8_t *nul = line.len ? memchr(line.data, 0, line.len) : NULL;
        int e;

        command_fini(c);
        if (nul)
                return refuse(&r, nul, "a NUL");
        e = read_list(&r);
        return r.error ? r.error : e;
}

/* ---- what came of it ---- */

void command_init(struct command *c)
{
        buf_init(&c->text, 0);
        buf_init(&c->words, 0);
        buf_init(&c->simples, 0);
}

void command_fini(struct command *c)
{
        buf_fini(&c->text);
        buf_fini(&c->words);
        buf_fini(&c->simples);
}

size_t command_count(const struct command *c)
{
        return buf_size(&c->simples) / sizeof(struct command_simple);
}

const struct command_simple *command_at(const struct command *c, size_t i)
{
        return (const struct command_simple *)(const void *)buf_head(&c->simples) + i;
}

const char *command_word(const struct command *c, const struct command_simple *s, size_t i)
{
        const size_t *words = (const size_t *)(const void *)buf_head(&c->words);

        return (const char *)buf_head(&c->text) + words[s->first + i];
}

static int write_quoted(const char *word, struct buf *out)
{
        int e = buf_append(out, "'", 1);

        for (; !e && *word; word++)
                e = *word == '\'' ? buf_append(out, "'\\''", 4) : buf_append(out, word, 1);
        return e ? e : buf_append(out, "'", 1);
}

int command_write(const struct command *c, const struct command_simple *s, const char *file, struct buf *out)
{
        static const char *const joins[] = {
                [COMMAND_FIRST] = "", [COMMAND_AND] = " && ", [COMMAND_OR] = " || ", [COMMAND_THEN] = "\n"};
        int e = buf_append(out, joins[s->join], strlen(joins[s->join]));

        if (!e)
                e = write_quoted(file, out);
        for (size_t i = 1; !e && i < s->n; i++) {
                e = buf_append(out, " ", 1);
                if (!e)
                        e = write_quoted(command_word(c, s, i), out);
        }
        return e;
}
