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
static size_t control_length(const char *text)
{
        unsigned char c = (unsigned char)text[0];

        if (c == 0xc2 && (unsigned char)text[1] >= 0x80 && (unsigned char)text[1] < 0xa0)
                return 2;
        return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
}

void output_text(FILE *stream, const char *text)
{
        if (!isatty(fileno(stream))) {
                fputs(text, stream);
                return;
        }
        while (*text) {
                size_t n = control_length(text);

                if (n)
                        fprintf(stream, "\\x%02x", (unsigned char)text[n - 1]);
                else
                        fputc(*text, stream);
                text += n ? n : 1;
        }
}

void output_json(struct poppo_reply *reply, const char *pointer)
{
        const char *text = poppo_reply_json(reply, pointer);

        puts(text ? text : "null");
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

static void print_failure(struct poppo_reply *reply, const char *label)
{
        const char *name = text_or(reply, "/result/error/name", "");
        const char *data = poppo_reply_json(reply, "/result/error/data");

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

static int exit_status_of(struct poppo_reply *reply)
{
        if (!strcmp(text_or(reply, "/result/state", ""), "succeeded"))
                return EXIT_OK;
        return poppo_code_exit_status(text_or(reply, "/result/error/code", ""));
}

int output_record(struct cli *cli, struct poppo_reply *reply, const char *label)
{
        int status = exit_status_of(reply);

        if (cli->opt.json) {
                output_json(reply, "/result");
                return status;
        }
        print_logs(reply);
        if (status == EXIT_OK)
                print_value(cli, reply);
        else
                print_failure(reply, label);
        return status;
}
