/*
 * poppo submit: one document, or many as NDJSON. The first line decides: if it is JSON by itself every line is a
 * document, else the whole input is one.
 */
#include "cli/cmd.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/batch.h"
#include "cli/document.h"
#include "cli/lines.h"
#include "cli/output.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

struct submission {
        struct cli *cli;
        struct batch *batch;
        struct lines lines;
        size_t line, documents;
};

static int print_id(struct cli *cli, struct poppo_reply *reply, const char *label)
{
        const char *id = poppo_reply_string(reply, "/id", NULL);

        (void)label;
        if (cli->opt.json)
                output_json(reply, "");
        else
                puts(id ? id : "");
        return EXIT_OK;
}

static bool send_document(struct submission *s, const char *label, json_t *document)
{
        CLEANUP(cleanup_json) json_t *args = NULL;
        CLEANUP(cleanup_free) char *text = NULL;
        int status = document_submit(s->cli, label, document, &args);

        if (!status && s->cli->opt.wait)
                json_object_set_new(args, "wait", json_true());
        text = status ? NULL : json_dumps(args, JSON_COMPACT);
        if (text)
                return batch_send(s->batch, label, "submit", text);
        batch_skip(s->batch, status ? status : EXIT_DATA);
        return true;
}

/* ---- many ---- */

static bool is_blank(struct bytes line)
{
        for (size_t i = 0; i < line.len; i++)
                if (!isspace(line.data[i]))
                        return false;
        return true;
}

static bool submit_line(struct submission *s, struct bytes line)
{
        CLEANUP(cleanup_json) json_t *document = NULL;
        char label[BATCH_LABEL];
        int status;

        s->line++;
        if (is_blank(line))
                return true;
        if (s->documents++ && CLI_GIVEN(s->cli, KEY)) {
                batch_skip(s->batch, cli_complain(s->cli, EXIT_USAGE,
                                             "give each document its own {\"options\":{\"key\":...}}",
                                             "--key is for a single document"));
                return false;
        }
        snprintf(label, sizeof(label), "line %zu", s->line);
        status = document_parse(s->cli, label, (const char *)line.data, line.len, &document);
        if (!status)
                return send_document(s, label, document);
        batch_skip(s->batch, status);
        return true;
}

/* Waits for input, while replies are read and printed. */
static int wait_for_input(struct submission *s)
{
        struct pollfd fds[2] = {{.fd = s->lines.fd, .events = POLLIN}, {.fd = poppo_fd(s->cli->poppo)}};
        int r = 0;

        batch_print_ready(s->batch);
        fflush(stdout);
        fds[1].events = poppo_events(s->cli->poppo);
        if (poll(fds, 2, -1) < 0)
                return errno == EINTR ? 0 : -errno;
        if (fds[1].revents)
                r = poppo_process(s->cli->poppo);
        if (!r && fds[0].revents)
                r = lines_fill(&s->lines);
        return r;
}

/* The documents before it are under way: what becomes of them is told as well. */
static int complain_input(struct submission *s, int r)
{
        int status = EXIT_OK, batch;

        if (poppo_fd(s->cli->poppo) >= 0)
                status = cli_complain(s->cli, EXIT_DATA, NULL, "cannot read line %zu: %s", s->line + 1,
                        r == -ENOBUFS ? "it is too long" : error_text(r));
        batch = batch_finish(s->batch);
        return batch ? batch : status;
}

static int submit_many(struct submission *s)
{
        struct bytes line;

        for (;;) {
                int r;

                while (lines_next(&s->lines, &line))
                        if (!submit_line(s, line))
                                return batch_finish(s->batch);
                if (s->lines.ended)
                        return batch_finish(s->batch);
                r = wait_for_input(s);
                if (r < 0)
                        return complain_input(s, r);
        }
}

/* ---- one, or many? ---- */

/* The first line's end, or the input's, is in the buffer. */
static int read_first_line(struct submission *s)
{
        int r = 0;

        while (!r && !s->lines.ended &&
                (!buf_size(&s->lines.buf) || !memchr(buf_head(&s->lines.buf), '\n', buf_size(&s->lines.buf))))
                r = lines_fill(&s->lines);
        return r;
}

static bool first_line_is_document(const struct submission *s)
{
        CLEANUP(cleanup_json) json_t *v = NULL;
        const struct buf *b = &s->lines.buf;
        const void *newline = buf_size(b) ? memchr(buf_head(b), '\n', buf_size(b)) : NULL;
        json_error_t error;

        v = newline ? json_loadb((const char *)buf_head(b), (size_t)((const uint8_t *)newline - buf_head(b)),
                              JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error)
                    : NULL;
        return v != NULL;
}

static int submit_one(struct submission *s, const char *name)
{
        CLEANUP(cleanup_json) json_t *document = NULL;
        int r = 0, status;

        while (!r && !s->lines.ended)
                r = lines_fill(&s->lines);
        if (r < 0)
                return complain_input(s, r);
        s->batch->lines = false;
        status = document_parse(
                s->cli, name, (const char *)buf_head(&s->lines.buf), buf_size(&s->lines.buf), &document);
        if (status)
                return status;
        send_document(s, name, document);
        return batch_finish(s->batch);
}

static int submit_input(struct cli *cli, int fd, const char *name)
{
        struct submission s = {
                .cli = cli, .batch = batch_new(cli, cli->opt.wait ? output_record : print_id, true)};
        int status, r;

        if (!s.batch)
                return cli_complain(cli, EXIT_UNREACHABLE, NULL, "%s", error_text(-ENOMEM));
        lines_init(&s.lines, fd, CLI_INPUT_MAX);
        r = read_first_line(&s);
        if (r < 0)
                status = complain_input(&s, r);
        else
                status = first_line_is_document(&s) ? submit_many(&s) : submit_one(&s, name);
        lines_fini(&s.lines);
        batch_free(s.batch);
        return status;
}

int cmd_submit(struct cli *cli)
{
        const char *path = cli->operands[0];
        bool is_stdin = !strcmp(path, "-");
        CLEANUP(cleanup_close) int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
        int status;

        if (fd < 0)
                return cli_complain(cli, EXIT_DATA, NULL, "cannot read %s: %s", path, error_text(-errno));
        status = cli_connect(cli);
        return status ? status : submit_input(cli, fd, is_stdin ? "standard input" : path);
}
