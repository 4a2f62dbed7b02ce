/* Records on the terminal and in pipes: data to stdout, everything else to stderr. */
#include "cli/output.h"

#include "base/cleanup.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool output_is_terminal(FILE *stream)
{
        const char *term = getenv("TERM");

        return isatty(fileno(stream)) && term && strcmp(term, "dumb");
}

const char *output_color(FILE *stream, enum output_color color)
{
        static const char *const codes[COLORS] = {
                [COLOR_PLAIN] = "\033[0m",
                [COLOR_DIM] = "\033[2m",
                [COLOR_GREEN] = "\033[32m",
                [COLOR_RED] = "\033[31m",
                [COLOR_YELLOW] = "\033[33m",
                [COLOR_BOLD] = "\033[1m",
        };
        const char *no_color = getenv("NO_COLOR");

        return (no_color && *no_color) || !output_is_terminal(stream) ? "" : codes[color];
}

/* Bytes of the control character at text; 0: it is another one. U+0080 to U+009F are some as well, and terminals obey them. */
static size_t control_length(const unsigned char *text, size_t len)
{
        if (text[0] == 0xc2 && len > 1 && text[1] >= 0x80 && text[1] < 0xa0)
                return 2;
        return (text[0] < 0x20 && text[0] != '\n' && text[0] != '\t') || text[0] == 0x7f;
}

void output_bytes(FILE *stream, const void *data, size_t len, unsigned char *last)
{
        const unsigned char *at = data, *end = at + len;

        if (!isatty(fileno(stream))) {
                fwrite(data, 1, len, stream);
                return;
        }
        while (at < end) {
                /* One whose first half has gone out already: without its second half it does nothing. */
                bool halved = *last == 0xc2 && *at >= 0x80 && *at < 0xa0;
                size_t n = halved ? 1 : control_length(at, (size_t)(end - at));

                if (n)
                        fprintf(stream, "\\x%02x", at[n - 1]);
                else
                        fputc(*at, stream);
                *last = n ? 0 : *at;
                at += n ? n : 1;
        }
}

void output_text(FILE *stream, const char *text)
{
        unsigned char last = 0;

        output_bytes(stream, text, strlen(text), &last);
}

void output_json(struct poppo_reply *reply, const char *pointer)
{
        const char *text = poppo_reply_json(reply, pointer);

        puts(text ? text : "null");
}

int output_reply(struct cli *cli, int r, struct poppo_reply *reply, void (*print)(struct poppo_reply *))
{
        if (r)
                return cli_fail(cli, r);
        if (cli->opt.json)
                output_json(reply, "");
        else
                print(reply);
        poppo_reply_free(reply);
        return EXIT_OK;
}

int output_line(const struct cli *cli, struct poppo_reply *reply, const char *pointer)
{
        const char *text = poppo_reply_string(reply, pointer, NULL);

        if (cli->opt.json) {
                output_json(reply, "");
        } else {
                output_text(stdout, text ? text : "");
                putchar('\n');
        }
        poppo_reply_free(reply);
        return EXIT_OK;
}

/* ---- records ---- */

static void print_logs(struct poppo_reply *reply)
{
        char pointer[64];

        for (int i = 0;; i++) {
                const char *text;

                snprintf(pointer, sizeof(pointer), "/result/logs/%d/text", i);
                text = poppo_reply_string(reply, pointer, NULL);
                if (!text)
                        return;
                output_text(stderr, text);
                fputc('\n', stderr);
        }
}

static void print_value(const struct cli *cli, struct poppo_reply *reply)
{
        size_t len;
        const char *text = cli->opt.raw ? poppo_reply_string(reply, "/result/value", &len) : NULL;

        if (!text)
                return output_json(reply, "/result/value");
        fwrite(text, 1, len, stdout);
        putchar('\n');
}

static const char *text_or(struct poppo_reply *reply, const char *pointer, const char *otherwise)
{
        const char *text = poppo_reply_string(reply, pointer, NULL);

        return text ? text : otherwise;
}

/* The stack repeats name and message in its first line; what is new begins with the second. */
static void print_stack(struct poppo_reply *reply)
{
        const char *frames = strchr(text_or(reply, "/result/error/stack", ""), '\n');

        if (!frames)
                return;
        fputs(output_color(stderr, COLOR_DIM), stderr);
        output_text(stderr, frames + 1);
        fprintf(stderr, "%s\n", output_color(stderr, COLOR_PLAIN));
}

void output_failure(struct poppo_reply *reply, const char *label, bool with_data)
{
        const char *name = text_or(reply, "/result/error/name", "");
        const char *data = with_data ? poppo_reply_json(reply, "/result/error/data") : NULL;

        fprintf(stderr, "poppo: %s%s%s", label ? label : "", label ? ": " : "", output_color(stderr, COLOR_RED));
        output_text(stderr, text_or(reply, "/result/error/code", text_or(reply, "/result/state", "")));
        fprintf(stderr, "%s: ", output_color(stderr, COLOR_PLAIN));
        output_text(stderr, name);
        fputs(*name ? ": " : "", stderr);
        output_text(stderr, text_or(reply, "/result/error/message", "the task has not succeeded"));
        fputc('\n', stderr);
        print_stack(reply);
        if (data)
                fprintf(stderr, "       data: %s\n", data);
}

int output_status(struct poppo_reply *reply)
{
        if (!strcmp(text_or(reply, "/result/state", ""), "succeeded"))
                return EXIT_OK;
        return poppo_code_exit_status(text_or(reply, "/result/error/code", ""));
}

int output_record(struct cli *cli, struct poppo_reply *reply, const char *label)
{
        int status = output_status(reply);

        if (cli->opt.json) {
                output_json(reply, "/result");
                return status;
        }
        print_logs(reply);
        if (status == EXIT_OK)
                print_value(cli, reply);
        else
                output_failure(reply, label, true);
        return status;
}
